# shellcheck shell=bash
# Where the base images go: into the Docker Hub stand-in, from which engines
# pull them, or, for those without any registry, right into an engine.

push_images_of() {
    local folder=$1 name list manifest_type index manifest config blob repository
    while read -r name list manifest_type index manifest config; do
        repository=http://$hub_address/v2/$(repository_on_hub "$name")
        for blob in "$config" $(cat "$(layers_file "$folder" "$name")"); do
            push_blob "$repository" "$folder/blobs/$blob"
        done
        push_manifest "$repository/manifests/sha256:$manifest" "$manifest_type" "$folder/blobs/$manifest"
        push_manifest "$repository/manifests/${name#*:}" "$list" "$folder/blobs/$index"
    done <"$folder/images"
}

# Names without a folder lie in `library` there.
repository_on_hub() {
    case $1 in
        */*) echo "${1%:*}" ;;
        *) echo "library/${1%:*}" ;;
    esac
}

push_blob() {
    local repository=$1 file=$2 digest=sha256:${2##*/} location
    ! curl --silent --fail --head "$repository/blobs/$digest" >/dev/null || return 0
    location=$(curl --silent --fail --show-error -X POST -o /dev/null -w '%header{location}' "$repository/blobs/uploads/")
    curl --silent --fail --show-error -H 'Content-Type: application/octet-stream' \
        --upload-file "$file" "$location&digest=$digest"
}

push_manifest() {
    curl --silent --fail --show-error -X PUT -H "Content-Type: $2" --data-binary "@$3" "$1"
}

# --- into an engine, without a registry -------------------------------------
# load_images_into ADDRESS: only what is missing there. A person's own busybox
# stays what it is.
load_images_into() {
    local address=$1 folder name list manifest_type index manifest config base options=()
    case $address in
        unix://*) options=(--unix-socket "${address#unix://}") base=http://engine ;;
        tcp://*) base=http://${address#tcp://} ;;
        *) die "an engine's address begins with unix:// or tcp://, and '$address' does not" ;;
    esac
    curl --silent --fail --max-time 5 -o /dev/null "${options[@]}" "$base/_ping" || die "no Docker Engine answers at $address"
    folder=$(images_folder)
    while read -r name list manifest_type index manifest config; do
        if curl --silent --fail -o /dev/null "${options[@]}" "$base/images/$name/json"; then
            say "$name is there already"
        else
            archive "$folder" "$name" "$config" |
                curl --silent --fail --show-error -o /dev/null -X POST -H 'Content-Type: application/x-tar' \
                    --upload-file - "${options[@]}" "$base/images/load?quiet=1"
            say "$name: a stand-in made on this machine, not the image of Docker Hub"
        fi
    done <"$folder/images"
}

# As `docker save` writes it.
archive() {
    local folder=$1 name=$2 config=$3 layer layers=''
    while read -r layer; do
        layers+=${layers:+,}'"'$layer'"'
    done <"$(layers_file "$folder" "$name")"
    local description=$folder/$name.docker/manifest.json
    mkdir -p "$folder/$name.docker"
    echo '[{"Config":"'"$config"'","RepoTags":["'"$name"'"],"Layers":['"$layers"']}]' >"$description"
    # shellcheck disable=SC2046 # digests have no blanks
    tar -c -C "$(dirname "$description")" manifest.json -C "$folder/blobs" "$config" $(cat "$(layers_file "$folder" "$name")")
}
