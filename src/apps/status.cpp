// `planetserve status`: what runs, and what the API's node sees of the network.

#include <iostream>

#include "apps/commands.h"
#include "apps/status_text.h"
#include "apps/terminal.h"
#include "local/overview.h"

namespace planetserve::apps {

int status(const std::filesystem::path& path, StatusForm form) {
    const local::NetworkHome home(std::filesystem::absolute(path));
    auto all = local::overview(home);
    if (!all) return error_exit(all.error().message);
    if (form == StatusForm::json)
        std::cout << boost::json::serialize(*all) << "\n";
    else
        std::cout << status_text(*all);
    return 0;
}

}  // namespace planetserve::apps
