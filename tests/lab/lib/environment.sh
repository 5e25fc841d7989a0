# shellcheck shell=bash
# What tests and people need to know to use the lab, as variables.

lab_variables() {
    echo "DOCKER_HOST=unix://$(engine_socket engine29)"
    echo "LONGSHORE_LAB_ENGINE20=unix://$(engine_socket engine20)"
    echo "LONGSHORE_LAB_ENGINE29=unix://$(engine_socket engine29)"
    echo "LONGSHORE_LAB_ENGINE20_HOST=$engine20_network.0.1"
    echo "LONGSHORE_LAB_ENGINE29_HOST=$engine29_network.0.1"
    echo "LONGSHORE_LAB_ENGINE20_PATH=$debian/usr/bin:$debian/usr/sbin"
    echo "LONGSHORE_LAB_ENGINE29_PATH=$moby:$containerd:$runc:$debian/usr/sbin"
    echo "LONGSHORE_LAB_DOCKER=$docker"
    echo "LONGSHORE_LAB_HUB=$hub_address"
    echo "LONGSHORE_LAB_GCR_ADDRESS=$gcr_ip:443"
    echo "LONGSHORE_LAB_GCR_USER=$gcr_user"
    echo "LONGSHORE_LAB_GCR_PASSWORD=$(gcr_password)"
    echo "LONGSHORE_LAB_GCR_CONTROL=$gcr_control_address"
    echo "LONGSHORE_LAB_GCR_SECRET=$(gcr_secret)"
    echo "LONGSHORE_LAB_CA=$ca"
    echo "LONGSHORE_LAB_CA_BUNDLE=$ca_bundle"
    echo "LONGSHORE_LAB_HOSTS=$state/hosts"
    echo "KUBECONFIG=$state/kubernetes/kubeconfig"
    echo "LONGSHORE_LAB_KUBECTL=$(kubernetes_command kubectl)"
    echo "LONGSHORE_LAB_HELM=$helm"
    echo "LONGSHORE_LAB_KUBECONFORM=$kubeconform"
    echo "LONGSHORE_LAB_SKOPEO=$skopeo"
    echo "LONGSHORE_LAB_DEBIAN=$debian"
    echo "LONGSHORE_LAB_SSH=$ssh"
    echo "LONGSHORE_LAB_SSHD=$lab/sshd"
    [[ ! -x $compose ]] || echo "LONGSHORE_LAB_COMPOSE=$compose"
    [[ ! -d $buildx ]] || echo "LONGSHORE_LAB_DOCKER_CONFIG=$buildx"
    echo "LONGSHORE_LAB_STATE=$state"
    echo "LONGSHORE_LAB_LOGS=$logs"
}

# `eval "$(lab env)"` has to survive whatever is in the password.
print_environment() {
    local line
    while IFS= read -r line; do
        printf 'export %s=%q\n' "${line%%=*}" "${line#*=}"
    done < <(lab_variables)
}

# Inside the view the lab's authority counts among the machine's own.
run_in_lab() {
    local here=$PWD line
    (($#)) || die "lab exec wants a command"
    [[ $EUID == 0 ]] || die "lab exec needs root, to enter the lab's mount namespace"
    view_exists || die "the lab is not up: 'lab up' first"
    while IFS= read -r line; do
        export "${line?}"
    done < <(lab_variables)
    export SSL_CERT_FILE=$ca_bundle
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_view sh -c 'cd "$0" && exec "$@"' "$here" "$@"
}
