#include "diary.h"

#include <boost/json.hpp>
#include <fstream>

namespace planetserve::hostile {

namespace json = boost::json;

std::set<std::string> orders_in(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::set<std::string> orders;
    for (std::string order; in >> order;) orders.insert(order);
    return orders;
}

const std::set<std::string>& Diary::orders_for(std::uint64_t epoch) {
    auto [known, first] = read_.try_emplace(epoch);
    if (first) known->second = orders_in(orders_);
    return known->second;
}

void Diary::note(std::uint64_t epoch, const std::string& kind, const Status& taken) const {
    std::ofstream out(said_, std::ios::app);
    out << json::serialize(json::object{{"epoch", epoch},
                                        {"said", kind},
                                        {"taken", taken.has_value()},
                                        {"refusal", taken ? "" : taken.error().message}})
        << "\n";
}

}  // namespace planetserve::hostile
