// Asymmetric keys.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

EVP_PKEY *scr_key_decode(scr_input key, bool is_private) {
  if (key.length == 0 || key.length > SCR_LIMIT) return NULL;
  const unsigned char *bytes = key.bytes;
  if (!is_private) return d2i_PUBKEY(NULL, &bytes, (long)key.length);
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &bytes, (long)key.length);
  if (info == NULL) return NULL;
  EVP_PKEY *result = EVP_PKCS82PKEY(info);
  PKCS8_PRIV_KEY_INFO_free(info);
  return result;
}

static bool give(EVP_PKEY *key, bool is_private, scr_bytes *private_key, scr_bytes *public_key, scr_failure *failure) {
  unsigned char *bytes = NULL;
  int length = i2d_PUBKEY(key, &bytes);
  if (length <= 0) return scr_fail(failure, "the key has no public part");
  bool is_made = scr_copy(public_key, bytes, (size_t)length, failure);
  OPENSSL_free(bytes);
  if (!is_made || !is_private) return is_made;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  if (info == NULL) {
    scr_release(public_key);
    return scr_fail(failure, "the private key cannot be encoded");
  }
  bytes = NULL;
  length = i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);
  PKCS8_PRIV_KEY_INFO_free(info);
  is_made = length > 0 && scr_copy(private_key, bytes, (size_t)length, failure);
  if (bytes) OPENSSL_clear_free(bytes, length > 0 ? (size_t)length : 0);
  if (!is_made) scr_release(public_key);
  return is_made;
}

// Passphrases come from the caller alone; without one nobody is asked.
static int passphrase(char *buffer, int size, int writes, void *context) {
  (void)writes;
  const scr_input *given = context;
  if (given->length == 0 || given->length > (size_t)size) return -1;
  memcpy(buffer, given->bytes, given->length);
  return (int)given->length;
}

bool scr_key_read(scr_input text, scr_input secret, scr_bytes *private_key, scr_bytes *public_key,
                  scr_failure *failure) {
  if (text.length == 0 || text.length > (1u << 20)) return scr_fail(failure, "not a key");
  bool is_private = true;
  BIO *bio = BIO_new_mem_buf(text.bytes, (int)text.length);
  if (bio == NULL) return scr_fail(failure, "not enough memory");
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, passphrase, &secret);
  if (key == NULL) {
    is_private = false;
    BIO_reset(bio);
    key = PEM_read_bio_PUBKEY(bio, NULL, passphrase, &secret);
  }
  BIO_free(bio);
  if (key == NULL) {
    const unsigned char *bytes = text.bytes;
    key = d2i_AutoPrivateKey(NULL, &bytes, (long)text.length);
    is_private = key != NULL;
  }
  if (key == NULL) {
    const unsigned char *bytes = text.bytes;
    key = d2i_PUBKEY(NULL, &bytes, (long)text.length);
  }
  if (key == NULL) {
    // The errors of the attempts say nothing about the text as a whole.
    ERR_clear_error();
    return scr_fail(failure, "no key can be read from the text (PEM or DER, private or public), or it is encrypted");
  }
  ERR_clear_error();
  bool is_made = give(key, is_private, private_key, public_key, failure);
  EVP_PKEY_free(key);
  return is_made;
}

bool scr_key_generate(const char *kind, int bits, const char *curve, scr_bytes *private_key, scr_bytes *public_key,
                      scr_failure *failure) {
  EVP_PKEY *key = NULL;
  if (strcmp(kind, "RSA") == 0) {
    key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
  } else if (strcmp(kind, "EC") == 0) {
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
  } else {
    key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
  }
  if (key == NULL) return scr_fail(failure, "the key cannot be made");
  bool is_made = give(key, true, private_key, public_key, failure);
  EVP_PKEY_free(key);
  return is_made;
}

bool scr_key_make(const char *kind, const scr_parameter *parameters, size_t count, bool is_private,
                  scr_bytes *private_key, scr_bytes *public_key, scr_failure *failure) {
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  BIGNUM *numbers[16] = {NULL};
  OSSL_PARAM *list = NULL;
  EVP_PKEY_CTX *context = NULL;
  EVP_PKEY *key = NULL;
  bool is_made = builder != NULL && count <= 16;
  bool is_montgomery = strcmp(kind, "RSA") != 0 && strcmp(kind, "EC") != 0;
  for (size_t index = 0; is_made && index < count; index++) {
    const scr_parameter *parameter = &parameters[index];
    if (strcmp(parameter->name, "group") == 0) {
      is_made = OSSL_PARAM_BLD_push_utf8_string(builder, "group", parameter->value.bytes, parameter->value.length);
    } else if (strcmp(parameter->name, "pub") == 0 || is_montgomery) {
      is_made = OSSL_PARAM_BLD_push_octet_string(builder, parameter->name, parameter->value.bytes,
                                                 parameter->value.length);
    } else {
      numbers[index] = BN_bin2bn(parameter->value.bytes, (int)parameter->value.length, NULL);
      is_made = numbers[index] != NULL && OSSL_PARAM_BLD_push_BN(builder, parameter->name, numbers[index]);
    }
  }
  if (is_made) list = OSSL_PARAM_BLD_to_param(builder);
  if (list != NULL) context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
  if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, list) != 1) {
    is_made = scr_fail(failure, "the numbers make no key");
  } else {
    is_made = give(key, is_private, private_key, public_key, failure);
  }
  EVP_PKEY_free(key);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(list);
  OSSL_PARAM_BLD_free(builder);
  for (size_t index = 0; index < 16; index++) BN_clear_free(numbers[index]);
  return is_made;
}

bool scr_key_pem(scr_input key, bool is_private, bool is_traditional, scr_bytes *result, scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, is_private);
  if (decoded == NULL) return scr_fail(failure, "not a key");
  BIO *bio = BIO_new(BIO_s_mem());
  int status = 0;
  if (bio != NULL) {
    status = !is_private      ? PEM_write_bio_PUBKEY(bio, decoded)
             : is_traditional ? PEM_write_bio_PrivateKey_traditional(bio, decoded, NULL, NULL, 0, NULL, NULL)
                              : PEM_write_bio_PrivateKey(bio, decoded, NULL, NULL, 0, NULL, NULL);
  }
  EVP_PKEY_free(decoded);
  if (status != 1) {
    BIO_free(bio);
    return scr_fail(failure, "the key cannot be written");
  }
  return scr_take_bio(bio, result, failure);
}

bool scr_key_describe(scr_input key, bool is_private, char *kind, size_t capacity, int *bits, int *identifier,
                      scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, is_private);
  if (decoded == NULL) return scr_fail(failure, "not a key");
  const char *name = EVP_PKEY_get0_type_name(decoded);
  size_t length = strlen(name ? name : "");
  if (length >= capacity) length = capacity - 1;
  memcpy(kind, name ? name : "", length);
  kind[length] = 0;
  *bits = EVP_PKEY_get_bits(decoded);
  *identifier = EVP_PKEY_get_base_id(decoded);
  EVP_PKEY_free(decoded);
  return true;
}

bool scr_key_parameter(scr_input key, bool is_private, const char *name, scr_bytes *result, scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, is_private);
  if (decoded == NULL) return scr_fail(failure, "not a key");
  bool is_made = false;
  BIGNUM *number = NULL;
  unsigned char bytes[512];
  size_t length = 0;
  char text[80];
  if (strcmp(name, "group") == 0) {
    is_made = EVP_PKEY_get_utf8_string_param(decoded, name, text, sizeof text, &length) == 1 &&
              scr_copy(result, text, length, failure);
  } else if (EVP_PKEY_get_bn_param(decoded, name, &number) == 1) {
    is_made = scr_reserve(result, (size_t)BN_num_bytes(number), failure);
    if (is_made) BN_bn2bin(number, result->bytes);
    BN_clear_free(number);
  } else {
    is_made = EVP_PKEY_get_octet_string_param(decoded, name, bytes, sizeof bytes, &length) == 1 &&
              scr_copy(result, bytes, length, failure);
  }
  EVP_PKEY_free(decoded);
  return is_made || scr_fail(failure, "the key has no such parameter");
}

// MARK: Signatures

static bool set_padding(EVP_PKEY_CTX *context, EVP_PKEY *key, int padding, int salt_length) {
  if (padding == 0 || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return true;
  if (EVP_PKEY_CTX_set_rsa_padding(context, padding) != 1) return false;
  return padding != RSA_PKCS1_PSS_PADDING || salt_length == -100 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_length) == 1;
}

static const char *digest_for(EVP_PKEY *key, const char *digest) {
  int kind = EVP_PKEY_get_base_id(key);
  if (kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448) return NULL;
  return digest[0] ? digest : "SHA256";
}

bool scr_key_sign(scr_input key, const char *digest, int padding, int salt_length, bool is_raw, scr_input data,
                  scr_bytes *result, scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, true);
  if (decoded == NULL) return scr_fail(failure, "not a private key");
  bool is_made = false;
  size_t length = 0;
  EVP_MD_CTX *summary = NULL;
  EVP_PKEY_CTX *context = NULL;
  if (is_raw) {
    // The data is the digest already.
    context = EVP_PKEY_CTX_new(decoded, NULL);
    EVP_MD *method = digest[0] ? EVP_MD_fetch(NULL, digest, NULL) : NULL;
    is_made = context != NULL && EVP_PKEY_sign_init(context) == 1 && set_padding(context, decoded, padding, salt_length) &&
              (method == NULL || EVP_PKEY_CTX_set_signature_md(context, method) == 1) &&
              EVP_PKEY_sign(context, NULL, &length, data.bytes, data.length) == 1 &&
              scr_reserve(result, length, failure) &&
              EVP_PKEY_sign(context, result->bytes, &length, data.bytes, data.length) == 1;
    EVP_MD_free(method);
    EVP_PKEY_CTX_free(context);
  } else {
    summary = EVP_MD_CTX_new();
    is_made = summary != NULL &&
              EVP_DigestSignInit_ex(summary, &context, digest_for(decoded, digest), NULL, NULL, decoded, NULL) == 1 &&
              set_padding(context, decoded, padding, salt_length) &&
              EVP_DigestSign(summary, NULL, &length, data.bytes, data.length) == 1 &&
              scr_reserve(result, length, failure) &&
              EVP_DigestSign(summary, result->bytes, &length, data.bytes, data.length) == 1;
    EVP_MD_CTX_free(summary);
  }
  EVP_PKEY_free(decoded);
  if (!is_made) {
    scr_release(result);
    return scr_fail(failure, "signing failed");
  }
  result->length = length;
  return true;
}

bool scr_key_verify(scr_input key, const char *digest, int padding, int salt_length, bool is_raw, scr_input data,
                    scr_input signature, bool *is_valid, scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, false);
  if (decoded == NULL) return scr_fail(failure, "not a public key");
  int status = -1;
  EVP_PKEY_CTX *context = NULL;
  if (is_raw) {
    context = EVP_PKEY_CTX_new(decoded, NULL);
    EVP_MD *method = digest[0] ? EVP_MD_fetch(NULL, digest, NULL) : NULL;
    if (context != NULL && EVP_PKEY_verify_init(context) == 1 && set_padding(context, decoded, padding, salt_length) &&
        (method == NULL || EVP_PKEY_CTX_set_signature_md(context, method) == 1)) {
      status = EVP_PKEY_verify(context, signature.bytes, signature.length, data.bytes, data.length);
    }
    EVP_MD_free(method);
    EVP_PKEY_CTX_free(context);
  } else {
    EVP_MD_CTX *summary = EVP_MD_CTX_new();
    if (summary != NULL &&
        EVP_DigestVerifyInit_ex(summary, &context, digest_for(decoded, digest), NULL, NULL, decoded, NULL) == 1 &&
        set_padding(context, decoded, padding, salt_length)) {
      status = EVP_DigestVerify(summary, signature.bytes, signature.length, data.bytes, data.length);
      // A signature that is no signature at all is a wrong one.
      if (status < 0) status = 0;
    }
    EVP_MD_CTX_free(summary);
  }
  EVP_PKEY_free(decoded);
  if (status < 0) return scr_fail(failure, "verification failed");
  ERR_clear_error();
  *is_valid = status == 1;
  return true;
}

// MARK: Encryption and agreement

static bool transform(scr_input key, bool encrypts, int padding, const char *digest, scr_input data, scr_bytes *result,
                      scr_failure *failure) {
  EVP_PKEY *decoded = scr_key_decode(key, !encrypts);
  if (decoded == NULL) return scr_fail(failure, encrypts ? "not a public key" : "not a private key");
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(decoded, NULL);
  EVP_MD *method = digest[0] ? EVP_MD_fetch(NULL, digest, NULL) : NULL;
  size_t length = 0;
  bool is_made =
      context != NULL && (encrypts ? EVP_PKEY_encrypt_init(context) : EVP_PKEY_decrypt_init(context)) == 1 &&
      set_padding(context, decoded, padding ? padding : RSA_PKCS1_PADDING, -100) &&
      (method == NULL || padding != RSA_PKCS1_OAEP_PADDING || EVP_PKEY_CTX_set_rsa_oaep_md(context, method) == 1) &&
      (encrypts ? EVP_PKEY_encrypt(context, NULL, &length, data.bytes, data.length)
                : EVP_PKEY_decrypt(context, NULL, &length, data.bytes, data.length)) == 1 &&
      scr_reserve(result, length, failure) &&
      (encrypts ? EVP_PKEY_encrypt(context, result->bytes, &length, data.bytes, data.length)
                : EVP_PKEY_decrypt(context, result->bytes, &length, data.bytes, data.length)) == 1;
  EVP_MD_free(method);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(decoded);
  if (!is_made) {
    scr_release(result);
    return scr_fail(failure, encrypts ? "encryption failed" : "decryption failed");
  }
  result->length = length;
  return true;
}

bool scr_key_encrypt(scr_input key, int padding, const char *digest, scr_input data, scr_bytes *result,
                     scr_failure *failure) {
  return transform(key, true, padding, digest, data, result, failure);
}

bool scr_key_decrypt(scr_input key, int padding, const char *digest, scr_input data, scr_bytes *result,
                     scr_failure *failure) {
  return transform(key, false, padding, digest, data, result, failure);
}

bool scr_key_agree(scr_input key, scr_input peer, scr_bytes *result, scr_failure *failure) {
  EVP_PKEY *own = scr_key_decode(key, true), *other = scr_key_decode(peer, false);
  EVP_PKEY_CTX *context = own && other ? EVP_PKEY_CTX_new(own, NULL) : NULL;
  size_t length = 0;
  bool is_made = context != NULL && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, other) == 1 &&
                 EVP_PKEY_derive(context, NULL, &length) == 1 && scr_reserve(result, length, failure) &&
                 EVP_PKEY_derive(context, result->bytes, &length) == 1;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(own);
  EVP_PKEY_free(other);
  if (!is_made) {
    scr_release(result);
    return scr_fail(failure, "the keys do not agree on a secret");
  }
  result->length = length;
  return true;
}
