#pragma once
// Which options of lepton-prep go with which data: one that would have no effect is refused.
#include <optional>
#include <string>

#include "data/known_recipe.h"

namespace lepton {

class CommandLine;
struct PrepCommand;

// What inputs turned out to be.
enum class InputKind { images, recordings, documents, lines, tables };

// Error(usage) names the first option given that means nothing for this kind of data.
void check_kind(const CommandLine& line, InputKind kind);

// The same for ways to cut texts: "ngrams", "words" or "subword".
void check_tokens(const CommandLine& line, const std::string& tokens);

// Error(usage) names the first option given that the recipe of --recipe settles already.
void check_settled(const CommandLine& line, const PrepCommand& command, const KnownRecipe& known);

// Error(usage) names the first option given that goes with making a dataset, where one is only looked at.
void check_looking(const CommandLine& line, const std::string& looking);

}  // namespace lepton
