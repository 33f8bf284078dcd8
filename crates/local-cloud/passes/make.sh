#!/bin/sh
# Makes the identity of the local environment again: an authority, an intermediate one, and the certificate of a pass type.
# Everybody has the key, so it proves nothing: no phone trusts the authority.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
issue() { # name, subject, extensions, issuer
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "$2" -out "$work/$1.csr"
    printf '%s\n' "$3" > "$work/$1.ext"
    if [ "$4" = "$1" ]; then signer="-signkey $work/$1.key"; else
        signer="-CA $work/$4.pem -CAkey $work/$4.key -CAcreateserial"; fi
    # shellcheck disable=SC2086
    openssl x509 -req -in "$work/$1.csr" $signer -days 36500 -sha256 -extfile "$work/$1.ext" -out "$work/$1.pem"
}
ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign'
issue root '/CN=FooStore local authority' "$ca" root
issue intermediate '/CN=FooStore local intermediate authority' "$ca" root
issue leaf '/CN=Pass Type ID: pass.com.example.foostore/UID=pass.com.example.foostore' \
    'basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth,emailProtection' intermediate
cp "$work/root.pem" authority.pem
cat "$work/leaf.key" "$work/leaf.pem" "$work/intermediate.pem" > identity.pem
