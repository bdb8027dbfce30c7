// docs/protocol/codes.md, made from the table of codes.
#pragma once

#include <string>

namespace tidings::wire {

std::string codes_document();

}  // namespace tidings::wire
