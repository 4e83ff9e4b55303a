#ifndef CCRYPTO_H
#define CCRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Cryptography by name, over the system's OpenSSL: what plugins written for OpenSSL's own names and formats ask for.
//
// Every function may be called from any thread and keeps nothing. Bytes go in as pointer and length. Results come in a
// scr_bytes, whose memory the caller gives back with scr_release; functions that return false have put a sentence into
// `failure` and no bytes into their results.

typedef struct scr_input {
  const void *bytes;
  size_t length;
} scr_input;

typedef struct scr_bytes {
  uint8_t *bytes;
  size_t length;
} scr_bytes;

typedef struct scr_failure {
  char text[200];
} scr_failure;

void scr_release(scr_bytes *bytes);

bool scr_digest(const char *algorithm, scr_input data, scr_bytes *result, scr_failure *failure);
bool scr_hmac(const char *algorithm, scr_input key, scr_input data, scr_bytes *result, scr_failure *failure);

// Sizes of a cipher in bytes; false for an unknown one.
typedef struct scr_cipher_facts {
  int key_length;
  int iv_length;
  int block_size;
  bool is_aead;
} scr_cipher_facts;
bool scr_cipher_describe(const char *algorithm, scr_cipher_facts *facts, scr_failure *failure);

// Encrypts or decrypts a whole text. `tag` is read when an AEAD cipher decrypts and made when it encrypts.
bool scr_cipher(const char *algorithm, bool encrypts, scr_input key, scr_input iv, scr_input data, bool has_padding,
                scr_input additional, scr_input tag, scr_bytes *result, scr_bytes *made_tag, scr_failure *failure);

// Key derivation. Members that a kind does not use are ignored.
typedef struct scr_derivation {
  // PBKDF2, HKDF, SCRYPT or TLS1-PRF.
  const char *kind;
  const char *digest;
  scr_input secret;
  scr_input salt;
  scr_input info;
  uint64_t iterations;
  uint64_t cost;
  uint64_t block_size;
  uint64_t parallelism;
  // 0 extract and expand, 1 extract only, 2 expand only.
  int mode;
  size_t length;
} scr_derivation;
bool scr_derive(const scr_derivation *derivation, scr_bytes *result, scr_failure *failure);

// MARK: Keys. They go in and out as DER: PKCS #8 for private ones, SubjectPublicKeyInfo for public ones.

// Reads a key in PEM or DER, private or public, and gives both forms; `private_key` has no bytes for a public one.
bool scr_key_read(scr_input text, scr_input passphrase, scr_bytes *private_key, scr_bytes *public_key,
                  scr_failure *failure);
// `kind`: RSA, EC, Ed25519, Ed448, X25519 or X448.
bool scr_key_generate(const char *kind, int bits, const char *curve, scr_bytes *private_key, scr_bytes *public_key,
                      scr_failure *failure);
// Makes a key from numbers in big-endian bytes: names are OpenSSL's (n, e, d, rsa-factor1, …; pub, priv, group).
typedef struct scr_parameter {
  const char *name;
  scr_input value;
} scr_parameter;
bool scr_key_make(const char *kind, const scr_parameter *parameters, size_t count, bool is_private,
                  scr_bytes *private_key, scr_bytes *public_key, scr_failure *failure);
bool scr_key_pem(scr_input key, bool is_private, bool is_traditional, scr_bytes *result, scr_failure *failure);
// Name of the kind of key, its bits and its NID.
bool scr_key_describe(scr_input key, bool is_private, char *kind, size_t capacity, int *bits, int *identifier,
                      scr_failure *failure);
// A number of the key in big-endian bytes; for `group` the curve's name.
bool scr_key_parameter(scr_input key, bool is_private, const char *name, scr_bytes *result, scr_failure *failure);

// Paddings are OpenSSL's numbers: 1 PKCS #1, 3 none, 4 OAEP, 6 PSS; 0 for the key's usual one.
bool scr_key_sign(scr_input key, const char *digest, int padding, int salt_length, bool is_raw, scr_input data,
                  scr_bytes *result, scr_failure *failure);
// `is_valid` says whether the signature is right; false is returned when that cannot be found out.
bool scr_key_verify(scr_input key, const char *digest, int padding, int salt_length, bool is_raw, scr_input data,
                    scr_input signature, bool *is_valid, scr_failure *failure);
bool scr_key_encrypt(scr_input key, int padding, const char *digest, scr_input data, scr_bytes *result,
                     scr_failure *failure);
bool scr_key_decrypt(scr_input key, int padding, const char *digest, scr_input data, scr_bytes *result,
                     scr_failure *failure);
bool scr_key_agree(scr_input key, scr_input peer, scr_bytes *result, scr_failure *failure);

// MARK: Certificates, as DER

// Reads every certificate of a PEM text, or one of a DER one, and gives them as DER, each after its length in four bytes
// (big-endian).
bool scr_certificates_read(scr_input text, scr_bytes *result, scr_failure *failure);
bool scr_certificate_pem(scr_input certificate, scr_bytes *result, scr_failure *failure);

// A field as text: version, serial, not_before, not_after (seconds since the epoch), subject, issuer (RFC 2253),
// signature_name, signature_digest, subject_hash; public_key as DER.
bool scr_certificate_field(scr_input certificate, const char *field, scr_bytes *result, scr_failure *failure);
// The parts of a name (subject or issuer): `short name NUL long name NUL OID NUL value NUL` each.
bool scr_certificate_name(scr_input certificate, bool is_issuer, scr_bytes *result, scr_failure *failure);
// Alternative names: `kind NUL value NUL` each, kinds DNS, IP, email, URI.
bool scr_certificate_alternatives(scr_input certificate, scr_bytes *result, scr_failure *failure);
// An extension as OpenSSL prints it, found by short or long name or OID; no bytes if there is none. `place` counts from
// 0, with a NULL name.
bool scr_certificate_extension(scr_input certificate, const char *name, int place, bool *is_critical, scr_bytes *result,
                               scr_bytes *extension_name, scr_failure *failure);
bool scr_certificate_digest(scr_input certificate, const char *digest, scr_bytes *result, scr_failure *failure);
bool scr_certificate_matches_host(scr_input certificate, const char *host, bool is_address, bool *result,
                                  scr_failure *failure);
bool scr_certificate_signed_by(scr_input certificate, scr_input public_key, bool *result, scr_failure *failure);
// Verifies against trusted certificates; `trusted` and `chain` are lists as scr_certificates_read gives them. A
// certificate that is not trusted gives true, `is_valid` false and the reason in `failure`.
bool scr_certificate_verify(scr_input certificate, scr_input trusted, bool uses_system_roots, scr_input chain,
                            bool *is_valid, scr_failure *failure);

#endif
