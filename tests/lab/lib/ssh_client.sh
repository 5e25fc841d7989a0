# shellcheck shell=bash
# The image `ssh-client`: what a build wants that logs in somewhere with
# `RUN --mount=type=ssh`. busybox, and Debian's ssh with the libraries that it
# is linked to. No image of Docker Hub has this name; made like the stand-ins.

ssh_client_folder() {
    local parts
    parts=$(
        sha256sum <"$lab/lib/ssh_client.sh"
        sha256sum <"$lab/lib/images.sh"
        stat -L -c '%n %s %Y' "$debian/bin/busybox" "$debian/usr/bin/ssh"
    )
    echo "$cache/ssh-client-$(sha256sum <<<"$parts" | cut -c 1-12)"
}

build_ssh_client_image() {
    [[ -e $(ssh_client_folder)/done ]] || timed "make the image ssh-client" make_ssh_client_image
}

make_ssh_client_image() {
    local folder build busybox client
    folder=$(ssh_client_folder)
    rm -rf "$cache"/ssh-client-*
    mkdir -p "$folder/blobs"
    build=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$build'" EXIT

    fill_with_busybox "$build/busybox"
    fill_with_ssh "$build/ssh"
    # The first layer is that of busybox itself, to the byte.
    busybox=$(make_layer "$folder" "$build/busybox")
    client=$(make_layer "$folder" "$build/ssh")
    make_image "$folder" ssh-client:latest oci '"Cmd":["sh"]' '' "$busybox" "$client"
    touch "$folder/done"
}

fill_with_ssh() {
    local root=$1 program library
    mkdir -p "$root/usr/bin"
    for program in ssh ssh-add ssh-keyscan; do
        cp "$debian/usr/bin/$program" "$root/usr/bin/$program"
        ldd "$root/usr/bin/$program" | grep -o '/[^ ]*' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -L "$library" "$root$library"
        done
    done
}
