#include "lepton-push-output.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "io/process.h"
#include "io/rows.h"

namespace lepton {

std::string list_text(const Published& published, bool json) {
  if (!published.known) fail(Exit::usage, "the release is encrypted; give the secret key with --identity FILE");
  std::string text;
  for (const ManifestFile& f : published.manifest.files) {
    if (json) {
      text +=
          nlohmann::json({{"name", f.name}, {"size", f.size}, {"sha256", f.sha256}, {"type", f.type}}).dump() + "\n";
    } else {
      text += tsv_row(std::vector<std::string>{f.name, std::to_string(f.size), f.sha256, f.type});
    }
  }
  return text;
}

std::string status_text(Store& store, const std::string& destination, bool json) {
  std::string text;
  for (const Pointer& pointer : store.read_pointers(store.remote().list("releases/"))) {
    for (size_t i = 0; i < pointer.releases.size(); ++i) {
      const Release& r = pointer.releases[i];
      if (json) {
        text += nlohmann::json({{"destination", destination},
                                {"name", pointer.name},
                                {"back", i},
                                {"time", r.time},
                                {"objects", r.objects},
                                {"bytes", r.bytes},
                                {"manifest", r.manifest},
                                {"encrypted", r.encrypted},
                                {"signed", !r.signature.empty()}})
                    .dump() +
                "\n";
      } else {
        const std::string marks =
            std::string(r.encrypted ? "encrypted" : "plain") + (r.signature.empty() ? "" : ",signed");
        text +=
            tsv_row(std::vector<std::string>{destination, pointer.name, std::to_string(i), r.time,
                                             std::to_string(r.objects), std::to_string(r.bytes), r.manifest, marks});
      }
    }
  }
  return text;
}

std::string result_line(const std::string& destination, const Outcome& o, bool json) {
  if (json) {
    return nlohmann::json({{"destination", destination},
                           {"state", o.state},
                           {"objects", o.objects},
                           {"bytes", o.bytes},
                           {"manifest", o.manifest}})
               .dump() +
           "\n";
  }
  return tsv_row(
      std::vector<std::string>{destination, o.state, std::to_string(o.objects), std::to_string(o.bytes), o.manifest});
}

std::string script_text(const std::string& scratch, const std::vector<std::string>& destinations,
                        const std::vector<Outcome>& outcomes) {
  std::string text = "set -eu\n" + shell_quoted({"mkdir", "-p", scratch}) + "\ntrap " +
                     shell_quoted(shell_quoted({"rm", "-rf", scratch})) + " EXIT\n";
  for (size_t i = 0; i < outcomes.size(); ++i) {
    text += "\n# " + escape_tsv(destinations[i]) + ": " + outcomes[i].state + "\n" + outcomes[i].script;
  }
  return text;
}

}  // namespace lepton
