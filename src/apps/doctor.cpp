// `planetserve doctor`: probes what a user depends on, end to end, and says what to do about what fails.

#include <iostream>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/words.h"
#include "local/diagnosis.h"

namespace planetserve::apps {

int doctor(const std::filesystem::path& path) {
    const local::NetworkHome home(std::filesystem::absolute(path));
    auto wrong = local::diagnose(home, [](const local::Finding& finding) {
        if (finding.kind == local::Finding::Kind::good)
            std::cout << "  " << green("[ok]") << " " << without_controls(finding.what) << std::endl;
        else
            std::cout << "  " << red("[!!]") << " " << without_controls(finding.what) << "\n       " << finding.advice
                      << std::endl;
    });
    if (!wrong) return error_exit(wrong.error().message);
    if (*wrong > 0) std::cout << counted(*wrong, "thing is", "things are") << " wrong.\n";
    if (*wrong == 0) std::cout << "Everything works.\n";
    return *wrong == 0 ? 0 : 1;
}

}  // namespace planetserve::apps
