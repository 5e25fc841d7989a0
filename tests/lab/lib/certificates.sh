# shellcheck shell=bash
# A certificate authority that lives as long as the lab is up, and what it
# signed: the registry with Google's names, and the Kubernetes API server.

readonly ca=$state/ca/ca.crt
# The machine's authorities and ours, for programs that take one file.
readonly ca_bundle=$state/ca/bundle.crt

make_authority() {
    [[ ! -s $ca_bundle ]] || return 0
    mkdir -p "$state/ca"
    chmod 0711 "$state/ca"
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
        -subj "/CN=Longshore lab" -keyout "$state/ca/ca.key" -out "$ca" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    cat /etc/ssl/certs/ca-certificates.crt "$ca" >"$ca_bundle"
}

# certify NAME DNS:…,IP:…: leaves NAME.crt and NAME.key in the ca folder.
certify() {
    local file=$state/ca/$1 extensions=$state/ca/$1.ext
    [[ ! -s $file.crt ]] || return 0
    cat >"$extensions" <<-EOF2
		basicConstraints = critical, CA:FALSE
		keyUsage = critical, digitalSignature
		extendedKeyUsage = serverAuth
		subjectAltName = $2
	EOF2
    quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=$1" -keyout "$file.key" -out "$file.csr"
    quietly openssl x509 -req -in "$file.csr" -CA "$ca" -CAkey "$state/ca/ca.key" -CAcreateserial \
        -days 364 -extfile "$extensions" -out "$file.crt"
}

# OpenSSL talks while all is well; keep it for when it is not.
quietly() {
    local words
    words=$("$@" 2>&1) || { note "$words"; return 1; }
}
