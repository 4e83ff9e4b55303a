// Digests, ciphers and key derivation.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

bool scr_fail(scr_failure *failure, const char *text) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  size_t place = 0;
  const char *parts[] = {text, reason ? ": " : "", reason ? reason : ""};
  for (int part = 0; part < 3; part++) {
    for (const char *byte = parts[part]; *byte && place + 1 < sizeof failure->text; byte++) {
      failure->text[place++] = *byte;
    }
  }
  failure->text[place] = 0;
  ERR_clear_error();
  return false;
}

void scr_release(scr_bytes *bytes) {
  if (bytes->bytes) OPENSSL_cleanse(bytes->bytes, bytes->length);
  free(bytes->bytes);
  bytes->bytes = NULL;
  bytes->length = 0;
}

bool scr_reserve(scr_bytes *result, size_t length, scr_failure *failure) {
  result->bytes = malloc(length ? length : 1);
  result->length = length;
  if (result->bytes) return true;
  result->length = 0;
  return scr_fail(failure, "not enough memory");
}

bool scr_copy(scr_bytes *result, const void *bytes, size_t length, scr_failure *failure) {
  if (!scr_reserve(result, length, failure)) return false;
  if (length) memcpy(result->bytes, bytes, length);
  return true;
}

bool scr_take_bio(BIO *bio, scr_bytes *result, scr_failure *failure) {
  char *bytes;
  long length = BIO_get_mem_data(bio, &bytes);
  bool is_made = length >= 0 && scr_copy(result, bytes, (size_t)length, failure);
  BIO_free(bio);
  return is_made;
}

static bool is_too_long(scr_input input, scr_failure *failure) {
  if (input.length <= SCR_LIMIT) return false;
  scr_fail(failure, "the text is too long");
  return true;
}

bool scr_digest(const char *algorithm, scr_input data, scr_bytes *result, scr_failure *failure) {
  EVP_MD *digest = EVP_MD_fetch(NULL, algorithm, NULL);
  if (digest == NULL) return scr_fail(failure, "invalid digest type");
  unsigned int length = 0;
  bool is_made = scr_reserve(result, EVP_MAX_MD_SIZE, failure);
  if (is_made && EVP_Digest(data.bytes, data.length, result->bytes, &length, digest, NULL) != 1) {
    scr_release(result);
    is_made = scr_fail(failure, "digest failed");
  }
  if (is_made) result->length = length;
  EVP_MD_free(digest);
  return is_made;
}

bool scr_hmac(const char *algorithm, scr_input key, scr_input data, scr_bytes *result, scr_failure *failure) {
  if (is_too_long(key, failure)) return false;
  size_t length = 0;
  if (!scr_reserve(result, EVP_MAX_MD_SIZE, failure)) return false;
  if (EVP_Q_mac(NULL, "HMAC", NULL, algorithm, NULL, key.length ? key.bytes : "", key.length, data.bytes, data.length,
                result->bytes, EVP_MAX_MD_SIZE, &length) == NULL) {
    scr_release(result);
    return scr_fail(failure, "hmac failed");
  }
  result->length = length;
  return true;
}

static bool is_aead(const EVP_CIPHER *cipher) { return EVP_CIPHER_get_flags(cipher) & EVP_CIPH_FLAG_AEAD_CIPHER; }

bool scr_cipher_describe(const char *algorithm, scr_cipher_facts *facts, scr_failure *failure) {
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, algorithm, NULL);
  if (cipher == NULL) return scr_fail(failure, "invalid cipher type");
  facts->key_length = EVP_CIPHER_get_key_length(cipher);
  facts->iv_length = EVP_CIPHER_get_iv_length(cipher);
  facts->block_size = EVP_CIPHER_get_block_size(cipher);
  facts->is_aead = is_aead(cipher);
  EVP_CIPHER_free(cipher);
  return true;
}

static bool run_cipher(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, bool encrypts, scr_input key, scr_input iv,
                       scr_input data, bool has_padding, scr_input additional, scr_input tag, scr_bytes *result,
                       scr_bytes *made_tag, scr_failure *failure) {
  if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE || EVP_CIPHER_get_mode(cipher) == EVP_CIPH_WRAP_MODE) {
    return scr_fail(failure, "ciphers of this mode are not supported");
  }
  if ((int)key.length != EVP_CIPHER_get_key_length(cipher)) return scr_fail(failure, "the key has a wrong length");
  if (EVP_CipherInit_ex(context, cipher, NULL, NULL, NULL, encrypts) != 1) return scr_fail(failure, "init failed");
  if (is_aead(cipher)) {
    if (iv.length == 0) return scr_fail(failure, "an iv is required");
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.length, NULL) != 1) {
      return scr_fail(failure, "the iv has a wrong length");
    }
  } else if ((int)iv.length != EVP_CIPHER_get_iv_length(cipher)) {
    return scr_fail(failure, "the iv has a wrong length");
  }
  if (EVP_CipherInit_ex(context, NULL, NULL, key.bytes, iv.length ? iv.bytes : NULL, encrypts) != 1) {
    return scr_fail(failure, "init failed");
  }
  if (!has_padding) EVP_CIPHER_CTX_set_padding(context, 0);
  int count = 0;
  if (is_aead(cipher)) {
    if (!encrypts) {
      if (tag.length == 0) return scr_fail(failure, "missing AEAD tag");
      if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)tag.length, (void *)tag.bytes) != 1) {
        return scr_fail(failure, "the tag has a wrong length");
      }
    }
    if (additional.length &&
        EVP_CipherUpdate(context, NULL, &count, additional.bytes, (int)additional.length) != 1) {
      return scr_fail(failure, "additional data failed");
    }
  }
  if (!scr_reserve(result, data.length + EVP_MAX_BLOCK_LENGTH, failure)) return false;
  int last = 0;
  count = 0;
  if (data.length && EVP_CipherUpdate(context, result->bytes, &count, data.bytes, (int)data.length) != 1) {
    return scr_fail(failure, encrypts ? "encryption failed" : "decryption failed");
  }
  if (EVP_CipherFinal_ex(context, result->bytes + count, &last) != 1) {
    return scr_fail(failure, encrypts ? "encryption failed" : "decryption failed");
  }
  result->length = (size_t)(count + last);
  if (is_aead(cipher) && encrypts) {
    if (!scr_reserve(made_tag, 16, failure)) return false;
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, made_tag->bytes) != 1) {
      return scr_fail(failure, "no tag");
    }
  }
  return true;
}

bool scr_cipher(const char *algorithm, bool encrypts, scr_input key, scr_input iv, scr_input data, bool has_padding,
                scr_input additional, scr_input tag, scr_bytes *result, scr_bytes *made_tag, scr_failure *failure) {
  if (is_too_long(data, failure) || is_too_long(key, failure) || is_too_long(iv, failure) ||
      is_too_long(additional, failure) || is_too_long(tag, failure)) {
    return false;
  }
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, algorithm, NULL);
  if (cipher == NULL) return scr_fail(failure, "invalid cipher type");
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  bool is_made = context != NULL && run_cipher(context, cipher, encrypts, key, iv, data, has_padding, additional, tag,
                                               result, made_tag, failure);
  if (!is_made) {
    scr_release(result);
    scr_release(made_tag);
  }
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  return is_made;
}

bool scr_derive(const scr_derivation *derivation, scr_bytes *result, scr_failure *failure) {
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, derivation->kind, NULL);
  if (kdf == NULL) return scr_fail(failure, "unknown key derivation");
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  if (context == NULL) return scr_fail(failure, "not enough memory");
  OSSL_PARAM parameters[12];
  size_t count = 0;
  uint64_t iterations = derivation->iterations, cost = derivation->cost, block = derivation->block_size;
  uint64_t parallelism = derivation->parallelism;
  int mode = derivation->mode;
  bool is_scrypt = strcmp(derivation->kind, "SCRYPT") == 0, is_hkdf = strcmp(derivation->kind, "HKDF") == 0;
  bool is_pbkdf2 = strcmp(derivation->kind, "PBKDF2") == 0, is_prf = strcmp(derivation->kind, "TLS1-PRF") == 0;
  if (!is_scrypt) {
    parameters[count++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)derivation->digest, 0);
  }
  const char *secret_name = is_hkdf ? OSSL_KDF_PARAM_KEY : is_prf ? OSSL_KDF_PARAM_SECRET : OSSL_KDF_PARAM_PASSWORD;
  parameters[count++] = OSSL_PARAM_construct_octet_string(
      secret_name, derivation->secret.length ? (void *)derivation->secret.bytes : "", derivation->secret.length);
  if (derivation->salt.length) {
    parameters[count++] = OSSL_PARAM_construct_octet_string(is_prf ? OSSL_KDF_PARAM_SEED : OSSL_KDF_PARAM_SALT,
                                                            (void *)derivation->salt.bytes, derivation->salt.length);
  }
  if (is_hkdf) {
    if (derivation->info.length) {
      parameters[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)derivation->info.bytes,
                                                              derivation->info.length);
    }
    parameters[count++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
  }
  if (is_pbkdf2) parameters[count++] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations);
  if (is_scrypt) {
    parameters[count++] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost);
    parameters[count++] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &block);
    parameters[count++] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &parallelism);
  }
  parameters[count] = OSSL_PARAM_construct_end();
  bool is_made = scr_reserve(result, derivation->length, failure);
  if (is_made && EVP_KDF_derive(context, result->bytes, result->length, parameters) != 1) {
    scr_release(result);
    is_made = scr_fail(failure, "key derivation failed");
  }
  EVP_KDF_CTX_free(context);
  return is_made;
}
