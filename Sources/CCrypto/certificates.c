// X.509 certificates.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

static X509 *decode(scr_input certificate) {
  if (certificate.length == 0 || certificate.length > SCR_LIMIT) return NULL;
  const unsigned char *bytes = certificate.bytes;
  return d2i_X509(NULL, &bytes, (long)certificate.length);
}

static bool append(BIO *bio, X509 *certificate) {
  unsigned char *bytes = NULL;
  int length = i2d_X509(certificate, &bytes);
  if (length <= 0) return false;
  unsigned char head[4] = {(unsigned char)(length >> 24), (unsigned char)(length >> 16), (unsigned char)(length >> 8),
                           (unsigned char)length};
  bool is_made = BIO_write(bio, head, 4) == 4 && BIO_write(bio, bytes, length) == length;
  OPENSSL_free(bytes);
  return is_made;
}

bool scr_certificates_read(scr_input text, scr_bytes *result, scr_failure *failure) {
  if (text.length == 0 || text.length > (16u << 20)) return scr_fail(failure, "not a certificate");
  BIO *output = BIO_new(BIO_s_mem()), *input = BIO_new_mem_buf(text.bytes, (int)text.length);
  int count = 0;
  bool is_made = output != NULL && input != NULL;
  while (is_made) {
    X509 *certificate = PEM_read_bio_X509(input, NULL, NULL, NULL);
    if (certificate == NULL) break;
    is_made = append(output, certificate);
    X509_free(certificate);
    count++;
  }
  ERR_clear_error();
  if (is_made && count == 0) {
    X509 *certificate = decode(text);
    is_made = certificate != NULL && append(output, certificate);
    X509_free(certificate);
  }
  BIO_free(input);
  if (!is_made) {
    BIO_free(output);
    ERR_clear_error();
    return scr_fail(failure, "no certificate can be read from the text (PEM or DER)");
  }
  return scr_take_bio(output, result, failure);
}

bool scr_certificate_pem(scr_input certificate, scr_bytes *result, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  if (decoded == NULL) return scr_fail(failure, "not a certificate");
  BIO *bio = BIO_new(BIO_s_mem());
  int status = bio ? PEM_write_bio_X509(bio, decoded) : 0;
  X509_free(decoded);
  if (status != 1) {
    BIO_free(bio);
    return scr_fail(failure, "the certificate cannot be written");
  }
  return scr_take_bio(bio, result, failure);
}

static bool time_text(const ASN1_TIME *moment, scr_bytes *result, scr_failure *failure) {
  struct tm parts;
  if (moment == NULL || ASN1_TIME_to_tm(moment, &parts) != 1) return scr_fail(failure, "the time is no time");
  char text[32];
  int length = snprintf(text, sizeof text, "%lld", (long long)timegm(&parts));
  return scr_copy(result, text, (size_t)length, failure);
}

static bool field(X509 *certificate, const char *name, scr_bytes *result, scr_failure *failure) {
  char text[64];
  if (strcmp(name, "version") == 0) {
    int length = snprintf(text, sizeof text, "%ld", X509_get_version(certificate) + 1);
    return scr_copy(result, text, (size_t)length, failure);
  }
  if (strcmp(name, "serial") == 0) {
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = number ? BN_bn2hex(number) : NULL;
    bool is_made = digits && scr_copy(result, digits, strlen(digits), failure);
    OPENSSL_free(digits);
    BN_free(number);
    return is_made || scr_fail(failure, "the serial number is no number");
  }
  if (strcmp(name, "not_before") == 0) return time_text(X509_get0_notBefore(certificate), result, failure);
  if (strcmp(name, "not_after") == 0) return time_text(X509_get0_notAfter(certificate), result, failure);
  if (strcmp(name, "subject") == 0 || strcmp(name, "issuer") == 0) {
    X509_NAME *of = name[0] == 's' ? X509_get_subject_name(certificate) : X509_get_issuer_name(certificate);
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || X509_NAME_print_ex(bio, of, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
      BIO_free(bio);
      return scr_fail(failure, "the name cannot be written");
    }
    return scr_take_bio(bio, result, failure);
  }
  if (strcmp(name, "signature_name") == 0) {
    const char *known = OBJ_nid2sn(X509_get_signature_nid(certificate));
    return scr_copy(result, known ? known : "", strlen(known ? known : ""), failure);
  }
  if (strcmp(name, "signature_digest") == 0) {
    int digest = 0, key = 0;
    OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, &key);
    const char *known = digest ? OBJ_nid2sn(digest) : "";
    return scr_copy(result, known, strlen(known), failure);
  }
  if (strcmp(name, "public_key") == 0) {
    unsigned char *bytes = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
    bool is_made = length > 0 && scr_copy(result, bytes, (size_t)length, failure);
    OPENSSL_free(bytes);
    return is_made || scr_fail(failure, "the certificate has no public key");
  }
  return scr_fail(failure, "no such field");
}

bool scr_certificate_field(scr_input certificate, const char *name, scr_bytes *result, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  if (decoded == NULL) return scr_fail(failure, "not a certificate");
  bool is_made = field(decoded, name, result, failure);
  X509_free(decoded);
  return is_made;
}

// A text and the byte 0 behind it; zeros inside, which would end it early, are left out.
static void write_text(BIO *bio, const char *text, int length) {
  for (int place = 0; place < length; place++) {
    if (text[place] != 0) BIO_write(bio, text + place, 1);
  }
  BIO_write(bio, "", 1);
}

bool scr_certificate_name(scr_input certificate, bool is_issuer, scr_bytes *result, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  BIO *bio = BIO_new(BIO_s_mem());
  if (decoded == NULL || bio == NULL) {
    X509_free(decoded);
    BIO_free(bio);
    return scr_fail(failure, "not a certificate");
  }
  X509_NAME *name = is_issuer ? X509_get_issuer_name(decoded) : X509_get_subject_name(decoded);
  for (int place = 0; place < X509_NAME_entry_count(name); place++) {
    X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, place);
    ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
    int identifier = OBJ_obj2nid(object);
    char text[80];
    OBJ_obj2txt(text, sizeof text, object, 1);
    const char *short_name = identifier ? OBJ_nid2sn(identifier) : text;
    const char *long_name = identifier ? OBJ_nid2ln(identifier) : text;
    write_text(bio, short_name, (int)strlen(short_name));
    write_text(bio, long_name, (int)strlen(long_name));
    write_text(bio, text, (int)strlen(text));
    unsigned char *value = NULL;
    int length = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry));
    write_text(bio, (const char *)value, length > 0 ? length : 0);
    OPENSSL_free(value);
  }
  X509_free(decoded);
  return scr_take_bio(bio, result, failure);
}

bool scr_certificate_alternatives(scr_input certificate, scr_bytes *result, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  BIO *bio = BIO_new(BIO_s_mem());
  if (decoded == NULL || bio == NULL) {
    X509_free(decoded);
    BIO_free(bio);
    return scr_fail(failure, "not a certificate");
  }
  GENERAL_NAMES *names = X509_get_ext_d2i(decoded, NID_subject_alt_name, NULL, NULL);
  for (int place = 0; names != NULL && place < sk_GENERAL_NAME_num(names); place++) {
    GENERAL_NAME *name = sk_GENERAL_NAME_value(names, place);
    const char *kind = NULL;
    switch (name->type) {
      case GEN_DNS: kind = "DNS"; break;
      case GEN_EMAIL: kind = "email"; break;
      case GEN_URI: kind = "URI"; break;
      case GEN_IPADD: {
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        int length = ASN1_STRING_length(name->d.iPAddress);
        char address[64] = "";
        if (length == 4) {
          snprintf(address, sizeof address, "%d.%d.%d.%d", bytes[0], bytes[1], bytes[2], bytes[3]);
        } else if (length == 16) {
          int used = 0;
          for (int group = 0; group < 8; group++) {
            used += snprintf(address + used, sizeof address - (size_t)used, group ? ":%X" : "%X",
                             bytes[2 * group] << 8 | bytes[2 * group + 1]);
          }
        }
        write_text(bio, "IP", 2);
        write_text(bio, address, (int)strlen(address));
        break;
      }
      default: break;
    }
    if (kind != NULL) {
      write_text(bio, kind, (int)strlen(kind));
      write_text(bio, (const char *)ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
    }
  }
  GENERAL_NAMES_free(names);
  X509_free(decoded);
  ERR_clear_error();
  return scr_take_bio(bio, result, failure);
}

bool scr_certificate_extension(scr_input certificate, const char *name, int place, bool *is_critical, scr_bytes *result,
                               scr_bytes *extension_name, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  if (decoded == NULL) return scr_fail(failure, "not a certificate");
  if (name != NULL) {
    ASN1_OBJECT *object = OBJ_txt2obj(name, 0);
    place = object ? X509_get_ext_by_OBJ(decoded, object, -1) : -1;
    ASN1_OBJECT_free(object);
  }
  X509_EXTENSION *extension = place < 0 ? NULL : X509_get_ext(decoded, place);
  ERR_clear_error();
  bool is_made = true;
  if (extension != NULL) {
    *is_critical = X509_EXTENSION_get_critical(extension);
    ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    int identifier = OBJ_obj2nid(object);
    char text[80];
    OBJ_obj2txt(text, sizeof text, object, 1);
    const char *short_name = identifier ? OBJ_nid2sn(identifier) : text;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509V3_EXT_print(bio, extension, 0, 0) != 1) {
      const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
      BIO_write(bio, ASN1_STRING_get0_data(data), ASN1_STRING_length(data));
    }
    is_made = bio != NULL && scr_take_bio(bio, result, failure) &&
              scr_copy(extension_name, short_name, strlen(short_name), failure);
    ERR_clear_error();
  }
  X509_free(decoded);
  return is_made || scr_fail(failure, "the extension cannot be read");
}

bool scr_certificate_digest(scr_input certificate, const char *digest, scr_bytes *result, scr_failure *failure) {
  return scr_digest(digest, certificate, result, failure);
}

bool scr_certificate_matches_host(scr_input certificate, const char *host, bool is_address, bool *result,
                                  scr_failure *failure) {
  X509 *decoded = decode(certificate);
  if (decoded == NULL) return scr_fail(failure, "not a certificate");
  *result = (is_address ? X509_check_ip_asc(decoded, host, 0) : X509_check_host(decoded, host, 0, 0, NULL)) == 1;
  X509_free(decoded);
  ERR_clear_error();
  return true;
}

bool scr_certificate_signed_by(scr_input certificate, scr_input public_key, bool *result, scr_failure *failure) {
  X509 *decoded = decode(certificate);
  EVP_PKEY *key = scr_key_decode(public_key, false);
  bool is_made = decoded != NULL && key != NULL;
  if (is_made) *result = X509_verify(decoded, key) == 1;
  X509_free(decoded);
  EVP_PKEY_free(key);
  if (!is_made) return scr_fail(failure, "not a certificate, or not a key");
  ERR_clear_error();
  return true;
}

// MARK: Trust

static X509 *next(scr_input *list) {
  const unsigned char *bytes = list->bytes;
  if (list->length < 4) return NULL;
  size_t length = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
  if (length > list->length - 4) return NULL;
  scr_input one = {bytes + 4, length};
  list->bytes = bytes + 4 + length;
  list->length -= 4 + length;
  return decode(one);
}

bool scr_certificate_verify(scr_input certificate, scr_input trusted, bool uses_system_roots, scr_input chain,
                            bool *is_valid, scr_failure *failure) {
  X509 *decoded = decode(certificate), *other;
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  STACK_OF(X509) *others = sk_X509_new_null();
  bool is_made = decoded != NULL && store != NULL && context != NULL && others != NULL;
  if (is_made && uses_system_roots) X509_STORE_set_default_paths(store);
  while (is_made && (other = next(&trusted)) != NULL) {
    X509_STORE_add_cert(store, other);
    X509_free(other);
  }
  while (is_made && (other = next(&chain)) != NULL) sk_X509_push(others, other);
  is_made = is_made && X509_STORE_CTX_init(context, store, decoded, others) == 1;
  if (is_made) {
    *is_valid = X509_verify_cert(context) == 1;
    if (!*is_valid) {
      ERR_clear_error();
      scr_fail(failure, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    }
  }
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  sk_X509_pop_free(others, X509_free);
  X509_free(decoded);
  if (!is_made) return scr_fail(failure, "not a certificate");
  ERR_clear_error();
  return true;
}
