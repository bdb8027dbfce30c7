// A certificate for servers of benches, which vouches for itself: P-256, as most servers have.
#pragma once

#include <string>

namespace tidings::bench {

struct CertificateFiles {
  std::string certificate, key;
};
CertificateFiles make_certificate(const std::string& directory);

}  // namespace tidings::bench
