# shellcheck shell=bash
# Two real registries (Debian's docker-registry):
#   hub  stands in for Docker Hub: the engines' mirror, plain HTTP on loopback,
#        holds the base images under library/…, and what
#        BuildKit pulls by itself
#   gcr  answers to gcr.io and us-docker.pkg.dev, with TLS and a password

up_hub() {
    configure_registry hub "addr: $hub_address"
    start_registry hub "http://$hub_address/v2/"
    push_images_of "$(images_folder)"
    push_images_of "$(ssh_client_folder)"
    push_images_of "$(buildkit_images_folder)"
}

up_gcr() {
    make_password
    make_bridge "$gcr_bridge" "$gcr_network"
    certify gcr "$(printf 'DNS:%s,' "${gcr_names[@]}")IP:$gcr_ip"
    configure_registry gcr "addr: $gcr_ip:443" "tls:" \
        "  certificate: $state/ca/gcr.crt" "  key: $state/ca/gcr.key"
    cat >>"$state/gcr/config.yml" <<-EOF2
		auth:
		  htpasswd:
		    realm: Longshore lab
		    path: $state/gcr/htpasswd
	EOF2
    start_registry gcr "https://${gcr_names[0]}/v2/" --cacert "$ca" \
        --resolve "${gcr_names[0]}:443:$gcr_ip" --user "$gcr_user:$(gcr_password)"
}

stop_hub() { end hub; }
stop_gcr() { end gcr; }
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

# start_registry NAME URL CURL-OPTION…: up when the URL answers.
start_registry() {
    local name=$1
    shift
    runs "$name" || launch "$name" "$name" "$debian/usr/bin/docker-registry" serve "$state/$name/config.yml"
    answers "$name" 20 curl --silent --fail --max-time 2 "$@"
}

# Empties it. It remembers in memory which blobs it has seen, so it has to be
# restarted as well.
reset_registry() {
    end "$1"
    rm -rf "$state/$1/data"
    "up_$1"
}

# A password that is a nuisance on purpose: `+` and `/` mean something in
# URLs, in base64 and in shells, and must survive all of them.
make_password() {
    local file=$state/gcr/password salt
    mkdir -p "$state/gcr"
    [[ ! -s $state/gcr/htpasswd ]] || return 0
    (umask 077; echo "$(openssl rand -base64 15 | tr -d '=\n')+/$(openssl rand -hex 4)=" >"$file")
    salt=$(openssl rand -hex 11)
    # The C library knows bcrypt, the only hash that the registry takes. The
    # same word is the password of a user and an access token.
    # shellcheck disable=SC2016 # Perl's own variables
    PASSWORD=$(cat "$file") perl -e '
        my $salt = shift;
        print "$_:", crypt($ENV{PASSWORD}, "\$2b\$05\$$salt"), "\n" for @ARGV;
    ' "$salt" "$gcr_user" oauth2accesstoken >"$state/gcr/htpasswd"
}

gcr_password() { cat "$state/gcr/password" 2>/dev/null; }
