{{/* The name of everything that this release makes. Short enough for what is added to it. */}}
{{- define "longshore.name" -}}
{{- if contains "longshore" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-longshore" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "longshore.selectorLabels" -}}
app.kubernetes.io/name: longshore
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "longshore.labels" -}}
{{ include "longshore.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "longshore.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "longshore.name" .) -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* Where the socket of a unix:// endpoint is on the node. */}}
{{- define "longshore.socketPath" -}}
{{- if not (hasPrefix "unix://" .Values.engine.endpoint) -}}
{{- fail (printf "engine.mountSocket is for a unix:// endpoint, and engine.endpoint is %q" .Values.engine.endpoint) -}}
{{- end -}}
{{- trimPrefix "unix://" .Values.engine.endpoint -}}
{{- end }}

{{/* The rights in a namespace whose resources are looked after, or in all of them. */}}
{{- define "longshore.namespacedRules" -}}
# patch is for the finalizer.
- apiGroups: [longshore.dev]
  resources: [containerapps]
  verbs: [get, list, watch, patch]
- apiGroups: [longshore.dev]
  resources: [containerapps/status]
  verbs: [patch]
# The records of what was built and pulled. Only the controller writes them.
- apiGroups: [longshore.dev]
  resources: [containerapprevisions]
  verbs: [get, list, create, update, delete]
# By name, one at a time: no list, no watch.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
# What builds use of Flux, where it is installed.
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [gitrepositories, ocirepositories, buckets]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
