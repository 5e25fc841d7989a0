# shellcheck shell=bash
# What BuildKit pulls by itself, under the names that are built into it or
# that a Dockerfile gives:
#   docker/dockerfile:1                     the front end, the real program,
#                                           compiled from BuildKit's module
#   docker/buildkit-syft-scanner:stable-1   makes SBOMs; a stand-in, a script

buildkit_images_folder() {
    local parts
    parts=$(
        sha256sum <"$lab/lib/buildkit_images.sh"
        sha256sum <"$lab/lib/images.sh"
        sha256sum <"$lab/sbom-scanner/scan"
        stat -L -c '%n %s %Y' "$debian/bin/busybox"
        echo "$frontend"
    )
    echo "$cache/buildkit-images-$(sha256sum <<<"$parts" | cut -c 1-12)"
}

build_buildkit_images() {
    [[ -d ${frontend%/*} ]] || timed "build dockerfile-frontend $frontend_version" build_frontend
    [[ -e $(buildkit_images_folder)/done ]] || timed "make the images that BuildKit pulls" make_buildkit_images
}

make_buildkit_images() {
    local folder build
    folder=$(buildkit_images_folder)
    rm -rf "$cache"/buildkit-images-*
    mkdir -p "$folder/blobs"
    build=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$build'" EXIT

    make_frontend_image "$folder" "$build"
    make_scanner_image "$folder" "$build"
    touch "$folder/done"
}

# With the labels of the image on Docker Hub, which BuildKit goes by: the front
# end runs without a network, and can do what `caps` says.
make_frontend_image() {
    local folder=$1 root=$2/frontend layer word caps=''
    install -D "$frontend" "$root/bin/dockerfile-frontend"
    layer=$(make_layer "$folder" "$root")
    for word in inputs subrequests contexts gitquerystring contexts.zstd; do
        caps+=${caps:+,}moby.buildkit.frontend.$word
    done
    make_image "$folder" docker/dockerfile:1 oci '"Entrypoint":["/bin/dockerfile-frontend"]' \
        '"moby.buildkit.frontend.network.none":"true","moby.buildkit.frontend.caps":"'$caps'"' "$layer"
}

make_scanner_image() {
    local folder=$1 busybox scan
    fill_with_busybox "$2/busybox"
    install -D "$lab/sbom-scanner/scan" "$2/scanner/bin/scan"
    # The first layer is that of busybox itself, to the byte.
    busybox=$(make_layer "$folder" "$2/busybox")
    scan=$(make_layer "$folder" "$2/scanner")
    make_image "$folder" docker/buildkit-syft-scanner:stable-1 oci '"Entrypoint":["/bin/scan"]' '' "$busybox" "$scan"
}
