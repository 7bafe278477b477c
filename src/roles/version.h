// Which build of the program this is.
#pragma once

namespace planetserve::roles {

// "0.1.0": the release. Nodes tell it to each other.
extern const char* const version;
// The commit it was built from, with "-dirty" where files had changed; "unknown" outside a git checkout.
extern const char* const commit;

}  // namespace planetserve::roles
