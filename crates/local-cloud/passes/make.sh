#!/bin/sh
# Makes the identity of the local environment again: an authority, an intermediate one, and the certificate of a pass type.
# Everybody has the key, so it proves nothing: no phone trusts the authority.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
touch "$work/index"
cat > "$work/ca.cnf" <<'CNF'
[ca]
default_ca = own
[own]
database = $dir/index
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
userId = optional
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth,emailProtection
CNF
sed -i "s|\$dir|$work|" "$work/ca.cnf"
issue() { # name, subject, extensions, options that name the issuer
    name=$1 subject=$2 extensions=$3
    shift 3
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$name.key"
    openssl req -new -key "$work/$name.key" -subj "$subject" -out "$work/$name.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -extensions "$extensions" -in "$work/$name.csr" \
        -startdate 20200101000000Z -enddate 21200101000000Z -out "$work/$name.pem" "$@"
}
issue root '/CN=FooStore local authority' authority -selfsign -keyfile "$work/root.key"
issue intermediate '/CN=FooStore local intermediate authority' authority -cert "$work/root.pem" -keyfile "$work/root.key"
issue leaf '/CN=Pass Type ID: pass.com.example.foostore/UID=pass.com.example.foostore' leaf \
    -cert "$work/intermediate.pem" -keyfile "$work/intermediate.key"
cp "$work/root.pem" authority.pem
cat "$work/leaf.key" "$work/leaf.pem" "$work/intermediate.pem" > identity.pem
