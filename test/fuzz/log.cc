// The reader of a log directory (engine/embedded/log_survey.h, segment_files.h). Checksums are nothing that a
// fuzzer finds by chance: an input is a log as a recipe (segments, groups, records), and what happens to its
// bytes after that.
#include <map>

#include "base/hash.h"
#include "engine/embedded/segment_files.h"
#include "engine/memory/memory_disk.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {
namespace {

using namespace embedded;

const std::string directory = "/log";
constexpr uint64_t segment_bytes = 16 * 1024;
constexpr size_t flips_max = 3;  // a CRC-32C finds every three bits that were changed

enum Mode : uint8_t {
  raw_file,     // any bytes are the segment
  raw_groups,   // any bytes stand behind a good header
  raw_bodies,   // any bytes are bodies of groups whose checksums fit
  true_records  // whole groups, in one or two segments; then bits are flipped, and the last file is cut
};

SegmentHeader header_of(uint64_t number, uint64_t first_group, uint64_t first_position) {
  SegmentHeader header;
  header.number = number;
  header.id = 0x1122334455667788u * number;
  header.bytes = segment_bytes;
  header.first_group = first_group;
  header.first_position = {first_position};
  return header;
}

void write(memory::MemoryDisk& disk, uint64_t number, const base::Bytes& bytes) {
  auto file = disk.open(directory + "/" + segment_name(number), ports::Disk::Open::existing_or_new);
  must(file.ok() && (*file)->write(0, bytes).ok() && (*file)->sync().ok(), "the memory takes it");
}

// A group with any body, told to hold so many records.
base::Bytes group_with(uint32_t seed, uint64_t number, uint32_t records, std::string_view body) {
  base::Bytes out;
  base::Writer writer(out);
  writer.fixed(number);
  writer.fixed(static_cast<uint32_t>(body.size()));
  writer.fixed(records);
  writer.fixed(base::crc32c(body, seed));
  writer.fixed(base::crc32c(out, seed));
  writer.raw(body);
  return out;
}

using Records = std::map<uint64_t, std::string>;  // by position

// Every whole group of the directory. Nothing if the disk fails, which it never does here.
struct Seen {
  LogSurvey survey;
  Records records;
};
Seen look(memory::MemoryDisk& disk, model::Position low) {
  Seen seen;
  SurveyOptions options;
  options.verify_from = low;
  options.old_segments = true;
  options.visit = [&](const Segment&, const GroupReader::Group&, const std::vector<RecordView>& records) {
    for (const auto& record : records) seen.records[record.position.value] = std::string(record.payload);
  };
  auto survey = survey_log(disk, directory, options);
  must(survey.ok(), "a survey fails only where the disk does");
  seen.survey = *std::move(survey);
  return seen;
}

Records write_true_records(memory::MemoryDisk& disk, Dice& dice) {
  Records written;
  uint64_t position = 1, group = 1, number = 1;
  SegmentHeader header = header_of(1, 1, 1);
  base::Bytes file = encode(header);
  const size_t groups = dice.byte() % 6, second_from = dice.byte() % 6;
  for (size_t i = 0; i < groups; ++i) {
    if (i == second_from && i > 0) {
      file.resize(segment_bytes);
      write(disk, number, file);
      header = header_of(++number, group, position);
      file = encode(header);
    }
    std::vector<ports::LogRecord> records;
    for (size_t n = dice.byte() % 3 + 1; n > 0; --n) {
      ports::LogRecord record;
      record.position = {position += dice.byte() % 3};
      record.time = base::wall_from_ms(static_cast<int64_t>(position));
      record.payload = std::string(dice.take(dice.byte() % 64));
      written[position++] = record.payload;
      records.push_back(std::move(record));
    }
    base::Bytes bytes;
    bytes.resize(encode_group(bytes, header.seed(), group++, records));
    file += bytes;
  }
  const uint8_t end = dice.byte();
  if (end & 1) file += encode_trailer(header.seed(), group - 1);
  const size_t whole = file.size();
  file.resize(segment_bytes);
  for (size_t i = (end >> 1) % (flips_max + 1); i > 0; --i) {
    const size_t bit = (dice.word() * 8u + dice.byte() % 8u) % (whole * 8);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
  }
  if (end & 0x80) file.resize(std::max<size_t>(segment_header_bytes, dice.word() % segment_bytes));
  write(disk, number, file);
  return written;
}

}  // namespace

void feed(std::string_view bytes) {
  Dice dice(bytes);
  const uint8_t mode = dice.byte() % 4;
  const model::Position low{dice.byte() % 4u};
  memory::MemoryDisk disk;
  must(disk.make_directory(directory).ok(), "the memory takes it");
  Records written;
  if (mode == raw_file) {
    write(disk, 1, base::Bytes(dice.rest()));
  } else if (mode == true_records) {
    written = write_true_records(disk, dice);
  } else {
    const auto header = header_of(1, 1, 1);
    base::Bytes file = encode(header);
    for (uint64_t group = 1; mode == raw_bodies && !dice.empty(); ++group) {
      const uint8_t records = dice.byte();
      file += group_with(header.seed(), group, records, dice.take(dice.byte()));
    }
    if (mode == raw_groups) file += dice.rest();
    if (file.size() > segment_bytes) return;
    write(disk, 1, file);
  }

  const auto before = disk.snapshot();
  const Seen seen = look(disk, low);
  if (mode == true_records) {
    for (const auto& [position, payload] : seen.records) {
      const auto found = written.find(position);
      must(found != written.end() && found->second == payload, "nothing is read that was never written");
    }
  }
  uint64_t unreadable = 0;
  must(read_above_damage(
           disk, seen.survey, [](const auto&, const auto&, const auto&) {}, unreadable)
           .ok(),
       "what stands above damage is looked at");
  must(disk.snapshot().files == before.files, "looking changes nothing");

  auto recovered = recover(disk, directory, {}, low, "doctor");
  if (seen.survey.damage) {
    must(!recovered.ok() && !recovered.error().sentence.empty(), "damage is refused in a sentence");
    must(disk.snapshot().files == before.files, "a refusal changes nothing");
    return;
  }
  // A start does not read segments below `low`: what it refuses was seen.
  must(recovered.ok(), "what has no damage is recovered");
  if (seen.survey.segments.empty()) return;
  const Seen after = look(disk, low);
  must(!after.survey.damage && after.survey.end.torn_bytes == 0, "a recovered log is whole");
  must(after.records == seen.records, "recovery loses nothing that was whole");
  must(recovered->newest == after.survey.end.newest && recovered->next_group == after.survey.end.group,
       "recovery knows where the log ends");
}

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  const auto header = header_of(1, 1, 1);
  std::vector<ports::LogRecord> records(2);
  records[0].position = {1};
  records[0].payload = "first";
  records[1].position = {2};
  records[1].payload = "second";
  base::Bytes group;
  group.resize(encode_group(group, header.seed(), 1, records));
  const std::string body = group.substr(group_header_bytes);
  out.push_back(std::string("\0\0", 2) + encode(header) + group);
  out.push_back(std::string("\1\0", 2) + group);
  out.push_back(std::string("\1\0", 2) + group + encode_trailer(header.seed(), 1));
  out.push_back(std::string("\1\0", 2) + group + std::string(40, '\0') + "x");
  out.push_back(std::string("\2\0\2", 3) + static_cast<char>(body.size()) + body +
                std::string("\1\x05hello", 7));
  for (const char end : {'\0', '\1', '\3', '\x80', '\x85'}) {
    out.push_back(std::string("\3\0\3\2", 4) + std::string("\1\1\5hello\1\1\0", 11) +
                  std::string("\0\2\3abc", 6) + std::string("\2\1\1z\1\1y\1\1x", 10) + end +
                  std::string("\x10\x10\x01\x20\x11\x02\x30\x12\x03", 9));
  }
  return out;
}

}  // namespace tidings::fuzz
