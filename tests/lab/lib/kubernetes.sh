# shellcheck shell=bash
# A Kubernetes API: etcd and kube-apiserver, with RBAC on and no controllers.
# So nothing makes ServiceAccounts or collects garbage by itself; tokens come
# from `kubectl create token`, which the API server answers alone.

# KUBEBUILDER_ASSETS names a folder with etcd, kube-apiserver and kubectl.
kubernetes_command() {
    if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
        echo "$KUBEBUILDER_ASSETS/$1"
    elif [[ $1 == etcd ]]; then
        echo "$debian/usr/bin/etcd"
    else
        echo "$kubernetes/$1"
    fi
}

up_kubernetes() {
    local folder=$state/kubernetes
    mkdir -p "$folder"
    start_etcd "$folder"
    certify kube-apiserver DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1
    make_admin "$folder"
    [[ -s $folder/service-accounts.key ]] ||
        quietly openssl genrsa -out "$folder/service-accounts.key" 2048
    runs kube-apiserver || launch kubernetes kube-apiserver "$(kubernetes_command kube-apiserver)" \
        --etcd-servers="http://127.0.0.1:$etcd_client_port" \
        --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$kubernetes_port" \
        --tls-cert-file="$state/ca/kube-apiserver.crt" --tls-private-key-file="$state/ca/kube-apiserver.key" \
        --cert-dir="$folder/certificates" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$folder/service-accounts.key" \
        --service-account-signing-key-file="$folder/service-accounts.key" \
        --token-auth-file="$folder/tokens.csv" \
        --authorization-mode=Node,RBAC \
        --service-cluster-ip-range=10.96.0.0/16
    answers kube-apiserver 60 curl --silent --fail --max-time 2 --cacert "$ca" \
        -H "Authorization: Bearer $(cat "$folder/admin-token")" "https://127.0.0.1:$kubernetes_port/readyz"
}

start_etcd() {
    runs etcd || launch kubernetes etcd "$(kubernetes_command etcd)" \
        --name lab --data-dir "$1/etcd" --unsafe-no-fsync --logger zap --log-outputs stderr \
        --listen-client-urls "http://127.0.0.1:$etcd_client_port" \
        --advertise-client-urls "http://127.0.0.1:$etcd_client_port" \
        --listen-peer-urls "http://127.0.0.1:$etcd_peer_port" \
        --initial-advertise-peer-urls "http://127.0.0.1:$etcd_peer_port" \
        --initial-cluster "lab=http://127.0.0.1:$etcd_peer_port"
    answers etcd 30 curl --silent --fail --max-time 2 "http://127.0.0.1:$etcd_client_port/health"
}

# Who may do everything, for tests to prepare a cluster with. What is tested
# runs under a ServiceAccount of its own.
make_admin() {
    local folder=$1
    [[ ! -s $folder/kubeconfig ]] || return 0
    (
        umask 077
        openssl rand -hex 24 >"$folder/admin-token"
        echo "$(cat "$folder/admin-token"),lab-admin,lab-admin,system:masters" >"$folder/tokens.csv"
        cat >"$folder/kubeconfig" <<-EOF2
			apiVersion: v1
			kind: Config
			current-context: lab
			contexts: [{name: lab, context: {cluster: lab, user: lab-admin}}]
			clusters:
			- name: lab
			  cluster:
			    server: https://127.0.0.1:$kubernetes_port
			    certificate-authority-data: $(base64 -w 0 "$ca")
			users: [{name: lab-admin, user: {token: $(cat "$folder/admin-token")}}]
		EOF2
    )
}

stop_kubernetes() {
    # It would wait for open watches, up to a minute. Nothing is lost with it.
    end kube-apiserver 2
    end etcd 5
}

clean_kubernetes() { :; }
