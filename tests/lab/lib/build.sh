# shellcheck shell=bash
# What is compiled, once per version. Each one is built beside its place in the
# cache and moved there when it is whole: an interrupted build leaves nothing
# that looks finished.

build_engine29() {
    [[ -d $moby ]] || timed "build dockerd $moby_version" build_moby
    [[ -d $containerd ]] || timed "build containerd $containerd_version" build_containerd
    [[ -d $runc ]] || timed "build runc $runc_version" build_runc
}

build_kubernetes() {
    [[ -n ${KUBEBUILDER_ASSETS:-} || -d $kubernetes ]] ||
        timed "build kube-apiserver, kubectl $kubernetes_version" build_kubernetes_commands
    [[ -d ${helm%/*} ]] || timed "build helm $helm_version" go_install "${helm%/*}" '' "helm.sh/helm/v3/cmd/helm@$helm_version"
    [[ -d ${kubeconform%/*} ]] || timed "build kubeconform $kubeconform_version" \
        go_install "${kubeconform%/*}" '' "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform_version"
}

# What Longshore is measured against. Both call themselves by their version,
# and Compose builds with no buildx that has none.
build_bench() {
    [[ -d ${compose%/*} ]] || timed "build docker-compose $compose_version" build_compose
    [[ -d $buildx ]] || timed "build docker-buildx $buildx_version" build_buildx
}

build_compose() {
    local module=github.com/docker/compose/v5
    build_in_copy "${compose%/*}" "$module@$compose_version" -o "${compose%/*}.part/docker-compose" \
        -ldflags "-s -w -X $module/internal.Version=$compose_version" ./cmd
}

build_buildx() {
    local module=github.com/docker/buildx
    build_in_copy "$buildx" "$module@$buildx_version" -o "$buildx.part/cli-plugins/docker-buildx" \
        -ldflags "-s -w -X $module/version.Version=$buildx_version" ./cmd/buildx
}

build_images() {
    [[ -e $(images_folder)/done ]] || timed "make the base images" make_base_images
}

# BuildKit's front end, built as the one on Docker Hub is.
build_frontend() {
    CGO_ENABLED=0 build_in_copy "${frontend%/*}" "github.com/moby/buildkit@$frontend_version" \
        -tags 'netgo static_build osusergo' -ldflags "-s -w -X main.Version=$frontend_version" \
        ./frontend/dockerfile/cmd/dockerfile-frontend
}

# The front before gcr.io is a program of this repository, in the crate of the
# tests. It is kept by its own sources: a lab that runs keeps its program when
# these change.
registry_front() {
    local sources
    sources=$(find_registry_front_sources | sort | xargs cat | sha256sum)
    echo "$cache/registry-front-${sources:0:12}/registry-front"
}

find_registry_front_sources() { find "$source_tree/tests/src/registry_front" "$source_tree/tests/src/bin/registry-front.rs" -name '*.rs' "$@"; }

build_registry_front() {
    [[ -e $(registry_front) ]] || timed "build the front of gcr.io" make_registry_front
}

# Where the tests are compiled already, so is the front; cargo may want to
# compile half of it anew, since fewer crates ask for fewer features.
make_registry_front() {
    local folder built=${CARGO_TARGET_DIR:-$source_tree/target}/debug/registry-front
    folder=$(dirname "$(registry_front)")
    if [[ ! -x $built || -n $(find_registry_front_sources -newer "$built") ]]; then
        (cd "$source_tree" && nice -n 5 cargo build --locked --package longshore-tests --bin registry-front)
    fi
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    cp "$built" "$folder.part/"
    mv "$folder.part" "$folder"
}

# Builds leave the machine usable for what else is going on on it.
build_with_go() {
    command -v go >/dev/null || die "Go is needed to build this, and there is no 'go' on the PATH"
    nice -n 5 go "$@"
}

# go_install FOLDER LINKER-FLAGS PACKAGE@VERSION…
go_install() {
    local folder=$1 flags=$2
    shift 2
    rm -rf "$folder.part"
    GOBIN=$folder.part build_with_go install -trimpath -ldflags "-s -w $flags" "$@"
    mv "$folder.part" "$folder"
}

build_moby() {
    local module=github.com/moby/moby/v2
    # Without it the engine calls its version "library-import".
    go_install "$moby" "-X $module/dockerversion.Version=$engine29_version" \
        "$module/cmd/dockerd@$moby_version" "$module/cmd/docker-proxy@$moby_version"
    # dockerd looks for it under this name when `--init` is asked for.
    cp "$debian/usr/bin/tini-static" "$moby/docker-init"
}

build_containerd() {
    build_in_copy "$containerd" "github.com/containerd/containerd/v2@$containerd_version" \
        -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$containerd_version" \
        ./cmd/containerd ./cmd/containerd-shim-runc-v2
}

build_runc() {
    build_in_copy "$runc" "github.com/opencontainers/runc@$runc_version" -tags seccomp -ldflags '-s -w' .
}

# build_in_copy FOLDER MODULE@VERSION ARGUMENT…: for modules whose go.mod
# replaces others by folders of their own, which `go install` refuses.
build_in_copy() {
    local folder=$1 module=$2 source copy
    shift 2
    source=$(cd / && build_with_go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    copy=$(mktemp -d)
    cp -r "$source/." "$copy"
    chmod -R u+w "$copy"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    (cd "$copy" && GOFLAGS="${GOFLAGS:-} -mod=mod" build_with_go build -trimpath -o "$folder.part/" "$@")
    rm -rf "$copy"
    mv "$folder.part" "$folder"
}

# Helm charts and clients ask for the version, which a plain build lacks.
build_kubernetes_commands() {
    local package flags='-s -w' minor=${kubernetes_version#v1.}
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1"
        flags+=" -X $package.gitMinor=${minor%.*} -X $package.gitTreeState=clean"
    done
    rm -rf "$kubernetes.part"
    mkdir -p "$kubernetes.part"
    (cd "$lab/kubernetes" && build_with_go build -trimpath -ldflags "$flags" -o "$kubernetes.part/" \
        k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl)
    mv "$kubernetes.part" "$kubernetes"
}
