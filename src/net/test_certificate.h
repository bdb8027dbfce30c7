// For tests of TLS: a certificate made on the spot, and its files in a directory of their own.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

namespace tidings::net {

class TestCertificate {
 public:
  // Vouches for itself; `names` as OpenSSL writes them.
  explicit TestCertificate(const std::string& names = "DNS:localhost,IP:127.0.0.1") {
    char name[] = "/tmp/tidings-tls-XXXXXX";
    directory_ = ::mkdtemp(name);
    make(names);
  }
  ~TestCertificate() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string certificate_path() const { return directory_ + "/certificate.pem"; }
  std::string key_path() const { return directory_ + "/key.pem"; }

  // A new key and certificate in the same files.
  void make(const std::string& names, bool write_key = true) {
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
    X509* const c = certificate.get();
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600L * 24 * 365);
    X509_set_pubkey(c, key.get());
    X509_NAME* const subject = X509_get_subject_name(c);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("tidings test"), -1, -1, 0);
    X509_set_issuer_name(c, subject);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, c, c, nullptr, nullptr, 0);
    X509_EXTENSION* const extension =
        X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, names.c_str());
    EXPECT_TRUE(extension);
    X509_add_ext(c, extension, -1);
    X509_EXTENSION_free(extension);
    EXPECT_GT(X509_sign(c, key.get(), EVP_sha256()), 0);
    write(certificate_path(), [c](BIO* out) { PEM_write_bio_X509(out, c); });
    if (!write_key) return;
    write(key_path(),
          [&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  int serial() const { return serial_; }

 private:
  // Into place at once, as good tools do it: also the file's number changes.
  template <class F>
  static void write(const std::string& path, F fill) {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new_file((path + ".new").c_str(), "w"), BIO_free);
    fill(out.get());
    BIO_flush(out.get());
    std::filesystem::rename(path + ".new", path);
  }

  std::string directory_;
  int serial_ = 0;
};

}  // namespace tidings::net
