# shellcheck shell=bash
# Two real registries (Debian's docker-registry):
#   hub  stands in for Docker Hub: the engines' mirror, plain HTTP on loopback,
#        holds the base images under library/…, and what
#        BuildKit pulls by itself
#   gcr  answers to Google's names, through a front of our own
#        (tests/src/registry_front), which has TLS, asks for credentials as
#        Google's does, and plays faults

up_hub() {
    configure_registry hub "addr: $hub_address"
    start_registry hub hub "http://$hub_address/v2/"
    push_images_of "$(images_folder)"
    push_images_of "$(ssh_client_folder)"
    push_images_of "$(buildkit_images_folder)"
}

up_gcr() {
    make_gcr_secrets
    make_bridge "$gcr_bridge" "$gcr_network"
    certify gcr-front "$(printf 'DNS:%s,' "${gcr_names[@]}")IP:$gcr_ip"
    configure_registry gcr "addr: $gcr_registry_address"
    start_registry gcr gcr-registry "http://$gcr_registry_address/v2/"
    start_front
}

start_front() {
    local settings=$state/gcr/front.json
    cat >"$settings" <<-EOF2
		{
		  "address": "$gcr_ip:443", "certificate": "$state/ca/gcr-front.crt", "key": "$state/ca/gcr-front.key",
		  "control": "$gcr_control_address", "registry": "$gcr_registry_address",
		  "user": "$gcr_user", "passwordFile": "$state/gcr/password", "secretFile": "$state/gcr/secret"
		}
	EOF2
    runs gcr || launch gcr gcr "$(registry_front)" "$settings"
    answers gcr 20 curl --silent --fail --max-time 2 "https://${gcr_names[0]}/v2/" --noproxy '*' --cacert "$ca" \
        --resolve "${gcr_names[0]}:443:$gcr_ip" --user "$gcr_user:$(gcr_password)"
}

stop_hub() { end hub; }
stop_gcr() { end gcr; end gcr-registry; }
clean_hub() { :; }
clean_gcr() { remove_bridges "$gcr_network"; }

# configure_registry NAME LINE…: the lines belong to its `http` section.
configure_registry() {
    local name=$1
    shift
    mkdir -p "$state/$name/data"
    cat >"$state/$name/config.yml" <<-EOF2
		version: 0.1
		log:
		  level: info
		storage:
		  filesystem:
		    rootdirectory: $state/$name/data
		  delete:
		    enabled: true
		http:
		$(printf '  %s\n' "$@")
	EOF2
}

# start_registry COMPONENT NAME URL: up when the URL answers.
start_registry() {
    runs "$2" || launch "$1" "$2" "$debian/usr/bin/docker-registry" serve "$state/$1/config.yml"
    answers "$2" 20 curl --silent --fail --max-time 2 --noproxy '*' "$3"
}

# Empties it. It remembers in memory which blobs it has seen, so it has to be
# restarted as well.
reset_registry() {
    "stop_$1"
    rm -rf "$state/$1/data"
    "up_$1"
}

# A password that is a nuisance on purpose: `+` and `/` mean something in
# URLs, in base64 and in shells, and must survive all of them. And a secret that
# vouches for the tokens and keys that tests make.
make_gcr_secrets() {
    local folder=$state/gcr
    mkdir -p "$folder"
    [[ -s $folder/password ]] ||
        (umask 077; echo "$(openssl rand -base64 15 | tr -d '=\n')+/$(openssl rand -hex 4)=" >"$folder/password")
    [[ -s $folder/secret ]] || (umask 077; openssl rand -hex 32 >"$folder/secret")
}

gcr_password() { cat "$state/gcr/password" 2>/dev/null; }
gcr_secret() { cat "$state/gcr/secret" 2>/dev/null; }
