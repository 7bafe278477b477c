// From scored answers to the tables and figures of the experiment.
#pragma once

#include <string>
#include <vector>

#include "eval/kit/experiment.h"
#include "eval/verification/detection.h"
#include "scoring/credit.h"

namespace planetserve::eval {

// A model node's answers, scored.
struct Subject {
    std::string name;
    std::string title;
    bool honest = false;
    TokenStream stream = {};
    std::vector<scoring::AnswerScore> answers = {};
};

struct ResultRules {
    std::size_t pool = 128;  // tokens by which a credit is given
    std::vector<std::size_t> lengths = {16, 32, 64, 128, 200, 256};
    std::size_t headline = 200;  // the length, beside the pool's, that is printed and summed up
    double trusted = 0.4;
    std::size_t epochs = 30;
    std::size_t long_run = 1000;  // epochs in which an honest node should never fall
    std::size_t nodes = 2000;     // of which the reputation is followed
    std::uint64_t seed = 1;
};

// `calibration` is honest too, and none of the subjects. Writes answers.csv, detection.csv, credits.csv,
// reputation.csv, figures, and the summary.
Status write_results(const std::vector<Subject>& subjects, const Subject& calibration, const ResultRules& rules,
                     Report& report);

}  // namespace planetserve::eval
