#ifndef SCR_INTERNAL_H
#define SCR_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "CCrypto.h"

// Longest text that one call takes; lengths of OpenSSL are ints.
#define SCR_LIMIT (1u << 30)

// Puts OpenSSL's last error, or `text`, into `failure` and returns false.
bool scr_fail(scr_failure *failure, const char *text);
bool scr_reserve(scr_bytes *result, size_t length, scr_failure *failure);
bool scr_copy(scr_bytes *result, const void *bytes, size_t length, scr_failure *failure);
bool scr_take_bio(BIO *bio, scr_bytes *result, scr_failure *failure);
EVP_PKEY *scr_key_decode(scr_input key, bool is_private);

#endif
