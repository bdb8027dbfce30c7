// What `tidings doctor` prints, for people and for programs.
#pragma once

#include <optional>
#include <string>

#include "server/doctor.h"

namespace tidings::cli {

// `command` calls the doctor again.
std::string diagnosis_text(const server::Diagnosis& diagnosis, const std::string& command, bool will_cut);
std::string cut_text(const server::Doctor::Cut& cut);
// One object; `cut` if the log was cut.
std::string diagnosis_json(const server::Diagnosis& diagnosis, const std::optional<server::Doctor::Cut>& cut);

}  // namespace tidings::cli
