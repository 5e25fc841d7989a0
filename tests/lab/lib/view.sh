# shellcheck shell=bash
# The lab's view of the machine: a mount namespace in which gcr.io is a
# registry on this machine and its certificate is known. The engines and what
# `lab exec` runs live in it; the machine's own /etc stays as it is.

readonly view=$state/view/namespace

# in_view COMMAND…: this process becomes the command, inside the view.
in_view() { exec nsenter --mount="$view" -- "$@"; }

view_exists() { nsenter --mount="$view" -- true 2>/dev/null; }

make_view() {
    ! view_exists || return 0
    remove_view
    mkdir -p "$state/view" "$state/etc" /run/containerd /run/docker
    # A namespace can be kept in a file only below a mount that is not shared.
    mount --bind "$state/view" "$state/view"
    mount --make-private "$state/view"
    touch "$view"
    # slave: what the machine mounts later is seen here, and never the reverse.
    unshare --mount="$view" --propagation slave true
    local names
    names="$gcr_ip ${gcr_names[*]} ${gcr_other_names[*]}"
    nsenter --mount="$view" -- bash -euo pipefail -s "$state/etc" "$names" "$state/ca" "${gcr_names[@]}" <<'EOF2'
        layer=$1 names=$2 ca=$3
        shift 3
        # A tmpfs, since an overlay cannot be the upper layer of another one,
        # which the state folder is on when the lab itself runs in a container.
        mount -t tmpfs -o mode=755 tmpfs "$layer"
        mkdir -p "$layer/upper" "$layer/work"
        # In a container these are mounts of their own, which an overlay over
        # /etc would hide: copy what they say.
        for file in hosts resolv.conf hostname; do
            [ ! -e /etc/$file ] || cp -L /etc/$file "$layer/upper/$file"
        done
        echo "$names" >>"$layer/upper/hosts"
        for name; do
            mkdir -p "$layer/upper/docker/certs.d/$name"
            cp "$ca/ca.crt" "$layer/upper/docker/certs.d/$name/ca.crt"
        done
        # Where Debian keeps them all, and where programs look that know nothing
        # of SSL_CERT_FILE or have been told so by another variable.
        mkdir -p "$layer/upper/ssl/certs"
        cp "$ca/bundle.crt" "$layer/upper/ssl/certs/ca-certificates.crt"
        # The places that are built into containerd and dockerd, whatever they are
        # told: not among those of the engine that the machine may have.
        mount -t tmpfs -o mode=711 tmpfs /run/containerd
        mount -t tmpfs -o mode=711 tmpfs /run/docker
        mount -t overlay overlay -o "lowerdir=/etc,upperdir=$layer/upper,workdir=$layer/work" /etc
EOF2
    # The same hosts file, for who wants to mount it somewhere else.
    nsenter --mount="$view" -- cat /etc/hosts >"$state/hosts"
}

remove_view() {
    umount "$view" 2>/dev/null || true
    umount "$state/view" 2>/dev/null || true
    rm -rf "$state/view" "$state/hosts"
    # Only when they are empty, so only when they are of no use to anyone.
    rmdir /run/containerd /run/docker 2>/dev/null || true
}
