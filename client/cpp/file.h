// The few file operations of a client's own files, all readable by their owner alone. Calls block.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidings::client {

// nullopt if there is no such file.
base::Result<std::optional<std::string>> read_file(const std::string& path);
// The file holds either what it held or all of `content`, also after power loss.
base::Status replace_file(const std::string& path, std::string_view content);
// With its parents, 0700; ok if it exists.
base::Status make_private_directory(const std::string& path);
base::Status write_all(int file, std::string_view bytes, const std::string& path);
base::Failure system_failure(const std::string& what, const std::string& path);

}  // namespace tidings::client
