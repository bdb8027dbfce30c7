#include "cli/doctor_text.h"

#include <fmt/format.h>

#include "api/time_text.h"
#include "wire/json_writer.h"

namespace tidings::cli {

namespace {

using server::Diagnosis;
using server::RecordCount;

std::string plural(uint64_t n, const char* one, const char* several) {
  return fmt::format("{} {}", n, n == 1 ? one : several);
}
std::string records(const RecordCount& count) {
  if (count.records == 0) return "no records";
  return fmt::format("{} in {}, positions {} to {}", plural(count.records, "record", "records"),
                     plural(count.groups, "group", "groups"), count.first.value, count.last.value);
}
std::string times(const RecordCount& count) {
  if (count.records == 0) return "–";
  return api::time_text(count.first_time) + " to " + api::time_text(count.last_time);
}

void damage_text(std::string& out, const Diagnosis& d, const std::string& command, bool will_cut) {
  const auto& damage = *d.damage;
  const auto line = [&out](const char* name, const std::string& value) {
    out += fmt::format("  {:<20} {}\n", name, value);
  };
  out += fmt::format("\nDAMAGED: {}.\n", damage.what);
  line("whole above it", records(damage.above));
  if (damage.above.records > 0) line("", times(damage.above));
  line("unreadable", damage.unreadable_bytes == 0
                         ? "nothing"
                         : fmt::format("{} bytes, {} at least", damage.unreadable_bytes,
                                       plural(damage.unreadable_groups, "group", "groups")));
  if (damage.stored_records > 0) {
    line("not lost", plural(damage.stored_records, "record", "records") +
                         " of those above it: the store has folded them");
  }
  out += "\nCutting the log there loses\n";
  line("records", records(damage.lost));
  if (damage.lost.records > 0) line("written", times(damage.lost));
  if (damage.unreadable_bytes > 0) {
    line("", "and what is unreadable, as far as the store has not folded it");
  }
  for (size_t i = 0; i < damage.files.size(); ++i) {
    const bool part = i == 0 && damage.kept_bytes > 0;
    line(i == 0 ? "moved aside" : "",
         damage.files[i] + (part ? fmt::format(" (its first {} bytes stay)", damage.kept_bytes) : ""));
  }
  if (will_cut) return;
  out += fmt::format(
      "\nNothing was changed. Best put back a backup of the data directory, or the undamaged file. If there\n"
      "is none, this makes the log usable; it moves files aside and deletes nothing:\n\n  {} --cut\n",
      command);
}

void count_json(wire::JsonWriter& json, const char* name, const RecordCount& count) {
  json.key(name).begin_object();
  json.key("groups").number(count.groups).key("records").number(count.records);
  const auto text = [&](const char* key, const std::string& value) {
    json.key(key);
    if (count.records > 0) {
      json.string(value);
    } else {
      json.null();
    }
  };
  text("first", model::to_text(count.first));
  text("last", model::to_text(count.last));
  text("first_time", api::time_text(count.first_time));
  text("last_time", api::time_text(count.last_time));
  json.key("lineages").number(count.lineages).end_object();
}

void damage_json(wire::JsonWriter& json, const server::Damage& damage) {
  json.begin_object().key("what").string(damage.what);
  json.key("files").begin_array();
  for (const auto& file : damage.files) json.string(file);
  json.end_array().key("kept_bytes").number(damage.kept_bytes);
  count_json(json, "above", damage.above);
  count_json(json, "lost", damage.lost);
  json.key("stored_records").number(damage.stored_records);
  json.key("unreadable_groups").number(damage.unreadable_groups);
  json.key("unreadable_bytes").number(damage.unreadable_bytes).end_object();
}

}  // namespace

std::string diagnosis_text(const Diagnosis& d, const std::string& command, bool will_cut) {
  std::string out;
  const auto line = [&out](const char* name, const std::string& value) {
    out += fmt::format("  {:<20} {}\n", name, value);
  };
  out += fmt::format("the log in {}\n", d.log);
  line("segments", fmt::format("{} with {} bytes", d.segments, d.bytes));
  line(d.damage ? "whole below damage" : "holds", records(d.whole));
  line("written", times(d.whole));
  line("lineages", fmt::format("{} in the log, {} in the store", d.whole.lineages, d.stored_lineages));
  out += fmt::format("the store in {}\n", d.store);
  line("has folded", d.folded.value == 0 ? "nothing"
                                         : fmt::format("up to position {} ({})", d.folded.value,
                                                       plural(d.checkpoints, "partition", "partitions")));
  line("needs the log from", fmt::format("position {}", d.low.value));
  for (const auto& sentence : d.old_damage) {
    out += fmt::format("\nDamage in a part that no start needs, because the store has all of it: {}.\n",
                       sentence);
  }
  if (d.torn_bytes > 0) {
    out += fmt::format(
        "\nA torn tail of {} bytes ends {}: a group that was being written when the server died.\n"
        "It was never synced and never answered; the next start cuts it off.\n",
        d.torn_bytes, d.newest_path);
  }
  if (d.damage) {
    damage_text(out, d, command, will_cut);
  } else {
    out += "\nhealthy: a server starts with all of this.\n";
  }
  return out;
}

std::string cut_text(const server::Doctor::Cut& cut) {
  return fmt::format(
      "\nCut. {}Positions go on from {}. Start the server again; its clients notice what is gone.\n",
      cut.aside.empty() ? "" : fmt::format("What was moved is in {}. ", cut.aside), cut.base.value);
}

std::string diagnosis_json(const Diagnosis& d, const std::optional<server::Doctor::Cut>& cut) {
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object().key("healthy").boolean(!d.damage || cut);
  json.key("log").string(d.log).key("store").string(d.store);
  json.key("segments").number(d.segments).key("bytes").number(d.bytes);
  count_json(json, "whole", d.whole);
  json.key("stored_lineages").number(d.stored_lineages).key("checkpoints").number(d.checkpoints);
  json.key("low").string(model::to_text(d.low)).key("folded").string(model::to_text(d.folded));
  json.key("torn_bytes").number(d.torn_bytes);
  json.key("old_damage").begin_array();
  for (const auto& sentence : d.old_damage) json.string(sentence);
  json.end_array().key("damage");
  if (d.damage) {
    damage_json(json, *d.damage);
  } else {
    json.null();
  }
  json.key("cut");
  if (cut) {
    json.begin_object().key("aside");
    if (cut->aside.empty()) {
      json.null();
    } else {
      json.string(cut->aside);
    }
    json.key("base").string(model::to_text(cut->base)).end_object();
  } else {
    json.null();
  }
  json.end_object();
  out.push_back('\n');
  return out;
}

}  // namespace tidings::cli
