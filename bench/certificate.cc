#include "bench/certificate.h"

#include <cstdio>
#include <memory>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "bench/real_server.h"

namespace tidings::bench {

CertificateFiles make_certificate(const std::string& directory) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  X509* const c = certificate.get();
  X509_set_version(c, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
  X509_gmtime_adj(X509_getm_notBefore(c), -3600);
  X509_gmtime_adj(X509_getm_notAfter(c), 3600L * 24 * 365);
  X509_set_pubkey(c, key.get());
  X509_NAME* const name = X509_get_subject_name(c);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("bench"), -1,
                             -1, 0);
  X509_set_issuer_name(c, name);
  X509_sign(c, key.get(), EVP_sha256());
  CertificateFiles files{directory + "/certificate.pem", directory + "/key.pem"};
  const auto write = [](const std::string& path, auto put) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
    if (!file || put(file.get()) != 1) give_up("no certificate");
  };
  write(files.certificate, [&](FILE* out) { return PEM_write_X509(out, c); });
  write(files.key, [&](FILE* out) {
    return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace tidings::bench
