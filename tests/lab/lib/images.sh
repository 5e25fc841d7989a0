# shellcheck shell=bash
# The base images, made on this machine as files, since no image can be pulled
# from anywhere: each one is a folder of blobs named by their digests, which is
# what a registry wants and what `docker load` nearly wants. Made of the same
# parts they get the same digests on every machine.
#
# The real busybox and hello-world are OCI indexes on Docker Hub, the real
# node:6 is a Docker manifest list. The stand-ins are the same, since engines
# and registries treat them differently.

readonly epoch=2024-01-01T00:00:00Z

# The folder's name changes when what goes into the images does.
images_folder() {
    local parts
    parts=$(
        sha256sum <"$lab/lib/images.sh"
        sha256sum <"$lab/hello-world/hello.c"
        stat -L -c '%n %s %Y' "$(command -v node)" "$debian/bin/busybox" /bin/bash
    )
    echo "$cache/images-$(sha256sum <<<"$parts" | cut -c 1-12)"
}

make_base_images() {
    local folder build
    folder=$(images_folder)
    [[ ! -e $folder/done ]] || return 0
    rm -rf "$cache"/images-*
    mkdir -p "$folder/blobs"
    build=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$build'" EXIT

    fill_with_busybox "$build/busybox"
    fill_with_node "$build/node"
    mkdir "$build/hello"
    gcc -static -Os -s -o "$build/hello/hello" "$lab/hello-world/hello.c"

    local busybox node hello
    busybox=$(make_layer "$folder" "$build/busybox")
    node=$(make_layer "$folder" "$build/node")
    hello=$(make_layer "$folder" "$build/hello")
    make_image "$folder" busybox:latest oci '"Cmd":["sh"]' '' "$busybox"
    make_image "$folder" node:6 docker '"Cmd":["node"]' '' "$busybox" "$node"
    make_image "$folder" hello-world:latest oci '"Cmd":["/hello"]' '' "$hello"
    touch "$folder/done"
}

fill_with_busybox() {
    local root=$1 command
    mkdir -p "$root"/{bin,etc,dev,proc,sys,root,tmp,var,usr/bin,usr/sbin,sbin,home}
    chmod 1777 "$root/tmp"
    cp "$debian/bin/busybox" "$root/bin/busybox"
    "$debian/bin/busybox" --list | while read -r command; do
        [[ $command == busybox ]] || ln -s busybox "$root/bin/$command"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'nobody:x:65534:65534:nobody:/home:/bin/false' >>"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}

# The machine's node and bash with the libraries that they are linked to, in
# the places where the loader looks for them.
fill_with_node() {
    local root=$1 program library
    mkdir -p "$root/usr/local/bin" "$root/bin"
    cp -L "$(command -v node)" "$root/usr/local/bin/node"
    cp -L /bin/bash "$root/bin/bash"
    for program in "$root/usr/local/bin/node" "$root/bin/bash"; do
        ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -L "$library" "$root$library"
        done
    done
    # Debian's node reads some of its own modules from files at its start.
    if ldd "$(command -v node)" | grep -q libnode; then
        dpkg -L node-acorn node-cjs-module-lexer node-undici node-busboy node-xtend 2>/dev/null |
            { grep '^/usr/share/nodejs/' || true; } | while read -r library; do
                [[ -d $library ]] || install -D "$library" "$root$library"
            done
    fi
    chmod -R u+w "$root"
    # Better found out here than in the first container.
    [[ $EUID != 0 ]] || chroot "$root" /usr/local/bin/node -e 'require("http")'
}

# make_layer FOLDER ROOT: prints "DIGEST SIZE DIFF-ID" (the last of what is
# not compressed, as an image's config wants it).
make_layer() {
    local folder=$1 root=$2 file diff
    file=$(mktemp -p "$folder")
    tar -C "$root" --sort=name --mtime=$epoch --owner=0 --group=0 --numeric-owner -c . >"$file"
    diff=sha256:$(sha256sum <"$file" | cut -d ' ' -f 1)
    gzip -n -6 "$file"
    echo "$(keep_blob "$folder" "$file.gz") $diff"
}

# keep_blob FOLDER FILE: prints "DIGEST SIZE".
keep_blob() {
    local digest
    digest=$(sha256sum "$2" | cut -d ' ' -f 1)
    mv "$2" "$1/blobs/$digest"
    echo "sha256:$digest $(stat -c %s "$1/blobs/$digest")"
}

keep_text() {
    local file
    file=$(mktemp -p "$1")
    printf %s "$2" >"$file"
    keep_blob "$1" "$file"
}

# make_image FOLDER NAME oci|docker RUNS LABELS LAYER…: RUNS and LABELS are
# members of its config and of the labels there. Leaves a line in `images`:
# NAME TYPE INDEX MANIFEST CONFIG, and in a file of layers one digest per line.
make_image() {
    local folder=$1 name=$2 kind=$3 runs=$4 labels=${5:+,$5} layer digest size diff
    local list manifest_type config_type layer_type diffs='' layers='' history='' config manifest index
    shift 5
    if [[ $kind == oci ]]; then
        list=application/vnd.oci.image.index.v1+json
        manifest_type=application/vnd.oci.image.manifest.v1+json
        config_type=application/vnd.oci.image.config.v1+json
        layer_type=application/vnd.oci.image.layer.v1.tar+gzip
    else
        list=application/vnd.docker.distribution.manifest.list.v2+json
        manifest_type=application/vnd.docker.distribution.manifest.v2+json
        config_type=application/vnd.docker.container.image.v1+json
        layer_type=application/vnd.docker.image.rootfs.diff.tar.gzip
    fi
    for layer; do
        read -r digest size diff <<<"$layer"
        diffs+=${diffs:+,}'"'$diff'"'
        layers+=${layers:+,}'{"mediaType":"'$layer_type'","size":'$size',"digest":"'$digest'"}'
        history+=${history:+,}'{"created":"'$epoch'","created_by":"tests/lab"}'
        echo "${digest#sha256:}" >>"$(layers_file "$folder" "$name")"
    done
    config='{"architecture":"'$(architecture)'","os":"linux","created":"'$epoch'","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],'$runs',"Labels":{"dev.longshore.stand-in":"made by tests/lab in place of the image '$name' of Docker Hub"'$labels'}},"rootfs":{"type":"layers","diff_ids":['$diffs']},"history":['$history']}'
    read -r config size <<<"$(keep_text "$folder" "$config")"
    manifest='{"schemaVersion":2,"mediaType":"'$manifest_type'","config":{"mediaType":"'$config_type'","size":'$size',"digest":"'$config'"},"layers":['$layers']}'
    read -r manifest size <<<"$(keep_text "$folder" "$manifest")"
    index='{"schemaVersion":2,"mediaType":"'$list'","manifests":[{"mediaType":"'$manifest_type'","size":'$size',"digest":"'$manifest'","platform":{"architecture":"'$(architecture)'","os":"linux"}}]}'
    read -r index size <<<"$(keep_text "$folder" "$index")"
    echo "$name $list $manifest_type ${index#sha256:} ${manifest#sha256:} ${config#sha256:}" >>"$folder/images"
}

layers_file() { echo "$1/${2//\//_}.layers"; }

architecture() { dpkg --print-architecture; }
