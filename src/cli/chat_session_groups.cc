#include <algorithm>

#include "cli/chat_session.h"
#include "cli/chat_text.h"

namespace tidings::cli {

namespace {

using What = ChatCommand::What;

// What the table of codes cannot know: what to do instead.
std::string way_out(What what, wire::Code code) {
  switch (code) {
    case wire::Code::forbidden:
      if (what == What::role) return " Only an owner changes roles; /members shows who that is.";
      if (what == What::remove)
        return " Admins remove members, owners everybody; /members shows who that is.";
      if (what == What::add || what == What::rename)
        return " Ask an admin or an owner of the group; /members shows who that is.";
      return "";
    case wire::Code::not_member:
      return " Somebody who is in it can add you again.";
    case wire::Code::mode:
      if (what == What::role) return " A group needs an owner: make somebody else an owner first.";
      return " This is a talk of two: /group TITLE @NAME makes a group, /quit ends the program.";
    case wire::Code::not_found:
      return what == What::remove || what == What::role
                 ? " Maybe that person is not in the group; see /members."
                 : "";
    default:
      return wire::row(code).retry == wire::Retry::as_is ? " Try again in a moment." : "";
  }
}

std::string at(const std::string& handle) {
  return "@" + shortened(printable(handle), 40);
}

}  // namespace

void ChatSession::change(const ChatCommand& command) {
  if (!online())
    return complain("The server cannot be reached now. Try /" + command_word(command.what) +
                    " again when you are online.");
  const bool here =
      command.what != What::group && command.what != What::block && command.what != What::unblock;
  if (here && !open_) return complain("Open a group first: /open TITLE, or /list to see what there is.");
  for (const std::string& handle : command.people) {
    if (handle != parts_.profile.handle || command.what == What::role) continue;
    return complain(command.what == What::remove ? "That is you; /leave takes you out of the group."
                                                 : "That is you: you need not say it.");
  }
  if (here) {
    const auto* view = client_.core().conversation(*open_);
    if (view && view->kind != model::ConversationKind::group && command.what != What::members)
      return complain("@" + printable(shown_.title(*open_)) +
                      " is a person and no group: /open a group, or make one with /group TITLE @NAME.");
    if (view && view->left)
      return complain("You have left this group; somebody who is in it can add you again.");
  }
  if (command.what == What::members) return members();
  if (command.what == What::leave && !parts_.patient && leave_asked_ != open_) {
    leave_asked_ = open_;
    return parts_.view.note("  Only somebody who is in " + printable(shown_.title(*open_)) +
                            " can bring you back.\n  /leave again to leave it, /quit to end the program.");
  }
  const uint64_t turn = act_on(command);
  const auto conversation = open_.value_or(model::ConversationId{});
  resolve(turn, command.people, {}, [this, command, turn, conversation](std::vector<model::UserId> people) {
    client::Core& core = client_.core();
    const auto done = [&](std::string sentence = "") {
      return when_changed(command, turn, std::move(sentence));
    };
    switch (command.what) {
      case What::group:
        return create(turn, command.text, people);
      case What::add:
        return core.add_members(conversation, people, done());
      case What::remove:
        return core.remove_member(conversation, people.front(), done());
      case What::role: {
        const auto role = command.text == "owner"   ? model::Role::owner
                          : command.text == "admin" ? model::Role::admin
                                                    : model::Role::member;
        return core.set_role(conversation, people.front(), role, done());
      }
      case What::rename:
        return core.rename(conversation, command.text, done());
      case What::leave:
        return core.leave(conversation, done());
      case What::block:
        return core.block(
            people.front(), true,
            done(at(command.people[0]) + " cannot write to you any more, except in groups.\n  /unblock " +
                 at(command.people[0]) + " undoes it."));
      case What::unblock:
        return core.block(people.front(), false, done(at(command.people[0]) + " can write to you again."));
      default:
        return done_acting(turn);
    }
  });
}

client::Core::WhenDone ChatSession::when_changed(const ChatCommand& command, uint64_t turn,
                                                 std::string sentence) {
  return [this, what = command.what, turn,
          sentence = std::move(sentence)](const wire::Answer<client::Done>& done) {
    if (!done.ok()) return refuse(turn, what, done.error());
    parts_.view.done(what, done->duplicate ? "It was so already." : sentence, done->duplicate);
    done_acting(turn);
  };
}

void ChatSession::create(uint64_t turn, const std::string& title, const std::vector<model::UserId>& people) {
  client_.core().create_group(title, people, model::History::joining,
                              [this, turn](const wire::Answer<model::ConversationId>& made) {
                                if (!made.ok()) return refuse(turn, What::group, made.error());
                                parts_.view.done(What::group, "", false);
                                known_.insert(*made);
                                if (shown_.knows(*made)) {
                                  open_conversation(*made);
                                  return done_acting(turn);
                                }
                                open_when_listed_ = *made;
                              });
}

void ChatSession::members() {
  const model::ConversationId conversation = *open_;
  const uint64_t turn = act_on({What::members});
  client_.rest().members(conversation, [this, conversation, turn](auto answer) {
    if (!answer.ok()) return refuse(turn, What::members, answer.error());
    std::vector<ShownMember> rows;
    for (const client::MemberInfo& one : *answer) {
      names_.learn(one.person.user, one.person.handle);
      rows.push_back({printable(one.person.handle), one.role, one.person.user == client_.core().user()});
    }
    std::sort(rows.begin(), rows.end(), [](const ShownMember& a, const ShownMember& b) {
      return a.role != b.role ? a.role > b.role : a.name < b.name;
    });
    parts_.view.members(shown_.conversation(conversation), rows);
    done_acting(turn);
  });
}

void ChatSession::resolve(uint64_t turn, std::vector<std::string> handles, std::vector<model::UserId> known,
                          std::function<void(std::vector<model::UserId>)> then) {
  while (known.size() < handles.size()) {
    const std::string& handle = handles[known.size()];
    if (handle == parts_.profile.handle && client_.core().user()) {
      known.push_back(*client_.core().user());
    } else if (const auto user = names_.id_of(handle)) {
      known.push_back(*user);
    } else {
      break;
    }
  }
  if (known.size() == handles.size()) return then(std::move(known));
  const std::string handle = handles[known.size()];
  client_.rest().find_by_handle(handle, [this, turn, handle, handles = std::move(handles),
                                         known = std::move(known),
                                         then = std::move(then)](auto answer) mutable {
    if (!acting_ || turn != turn_) return;
    if (!answer.ok()) return refuse(turn, acting_->what, answer.error());
    if (!*answer) {
      complain("There is nobody called " + shortened(printable(handle), 40) + " here; nothing was changed.");
      return done_acting(turn);
    }
    names_.learn((*answer)->user, (*answer)->handle);
    known.push_back((*answer)->user);
    resolve(turn, std::move(handles), std::move(known), std::move(then));
  });
}

void ChatSession::refuse(uint64_t turn, What what, const wire::Problem& why) {
  const std::string sentence =
      why.detail.empty() ? std::string(wire::row(why.code).sentence) : printable(why.detail);
  complain(sentence + way_out(what, why.code));
  done_acting(turn);
}

void ChatSession::refuse(uint64_t turn, What what, const client::RestProblem& why) {
  // It is carried out again then.
  if (why.code == wire::Code::token_expired && renew()) return;
  if (why.code) return refuse(turn, what, wire::Problem{*why.code, why.sentence});
  complain("The server cannot be reached now. Try /" + command_word(what) + " again when you are online.");
  done_acting(turn);
}

}  // namespace tidings::cli
