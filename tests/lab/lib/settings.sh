# shellcheck shell=bash
# What the lab is made of: versions, addresses, folders. Nothing here has an
# effect; every other room reads its names from here.

# --- versions: a new one gets a new folder in the cache ---------------------
readonly moby_version=v2.0.0-beta.24
# What that build calls itself. The release that the module's own Dockerfile
# names as its client, and, since it is none of the releases, a pre-release.
readonly engine29_version=29.8.0-moby.${moby_version#v}
readonly containerd_version=v2.2.0
readonly runc_version=v1.5.2
# The release of BuildKit whose front end `docker/dockerfile:1` is.
readonly frontend_version=v0.34.2
readonly kubernetes_version=v1.36.3
readonly helm_version=v3.22.0
readonly kubeconform_version=v0.8.0
readonly compose_version=v5.6.0
readonly buildx_version=v0.38.2

# --- folders ----------------------------------------------------------------
source_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
readonly source_tree
# The cache outlives `lab down`: it holds only what can be made again. HOME may
# be unset (under systemd, in a bare `env -i`).
readonly cache=${LONGSHORE_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/longshore-lab}
# The state is what runs now: sockets, data, logs, keys. `lab down` removes it.
readonly state=${LONGSHORE_LAB_STATE:-/var/lib/longshore-lab}
readonly logs=$state/logs

readonly debian=$cache/debian
readonly moby=$cache/moby-$moby_version
readonly containerd=$cache/containerd-$containerd_version
readonly runc=$cache/runc-$runc_version
readonly frontend=$cache/dockerfile-frontend-$frontend_version/dockerfile-frontend
readonly kubernetes=$cache/kubernetes-$kubernetes_version
readonly helm=$cache/helm-$helm_version/helm
readonly kubeconform=$cache/kubeconform-$kubeconform_version/kubeconform
readonly compose=$cache/compose-$compose_version/docker-compose
# As the docker command wants it in DOCKER_CONFIG: its plugins in `cli-plugins`.
readonly buildx=$cache/buildx-$buildx_version
# Debian's client, because BuildKit is built into it: newer clients need the
# buildx plugin for that. It talks to both engines.
readonly docker=$debian/usr/bin/docker
readonly ssh=$debian/usr/bin/ssh
# Another client of registries than those that are tested.
readonly skopeo=$source_tree/tests/lab/skopeo

# --- components, in the order in which they are shown -----------------------
readonly all_components=(hub gcr engine20 engine29 kubernetes)

# --- addresses --------------------------------------------------------------
# Whatever an engine hands out lies inside its own /16, so that two engines
# never choose the same network, and `lab down` knows which bridges are ours.
readonly engine20_bridge=longshore20 engine20_network=10.220
readonly engine29_bridge=longshore29 engine29_network=10.229

readonly hub_address=127.0.0.1:5000
# The registry that answers to Google's names, on a bridge of its own. Not on
# loopback, which every engine takes for an insecure registry: it would not
# check the certificate, and would try plain HTTP after a 401.
readonly gcr_bridge=longshore-gcr gcr_network=10.210
readonly gcr_ip=$gcr_network.0.1
# What it answers to by its own certificate; `eu.gcr.io` has one that nobody trusts.
readonly gcr_names=(gcr.io us-docker.pkg.dev realm.gcr.io evil.test gcr.io.evil.test)
readonly gcr_other_names=(eu.gcr.io)
readonly gcr_user=_json_key
# Behind it, on loopback: the registry itself, and the door through which tests
# tell the front what to do.
readonly gcr_registry_address=127.0.0.1:5001 gcr_control_address=127.0.0.1:5002

readonly etcd_client_port=22379 etcd_peer_port=22380
readonly kubernetes_port=26443

engine_socket() { echo "$state/$1/docker.sock"; }
