// Makes a damaged log usable again: moves what is damaged and all above it aside, and lets positions begin
// anew above all that were ever given. Deletes nothing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/embedded/log_survey.h"
#include "ports/disk.h"

namespace tidings::embedded {

// What stands in the log after the cut, beside what is kept.
struct CutOrder {
  std::string aside;        // a directory for what is moved, made if there is something
  uint64_t segment_id = 0;  // random
  uint64_t segment_bytes = 0;
  ports::LogRecord beginning;  // the first record after the cut; its position is the new base
};

// Ends what a cut that died left half done, as far as it must be before the directory is surveyed again.
// `asides` are the directories into which it may have moved files.
base::Status resume_cut(ports::Disk& disk, const std::string& directory,
                        const std::vector<std::string>& asides);

// Cuts where the survey, of the locked directory, found damage. A crash at any moment leaves the old damage
// or a marker because of which recover() refuses; then resume_cut(), a new survey and a new cut finish it.
// Once it returned ok the log is synced and a start finds it whole.
base::Status cut_log(ports::Disk& disk, const std::string& directory, const LogSurvey& survey,
                     const CutOrder& order);

}  // namespace tidings::embedded
