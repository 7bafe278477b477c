// The routes of docs/api.md: which requests go to the Service, and the answers that the node gives itself. Pure.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <expected>
#include <optional>

#include "adapters/api/http_reply.h"

namespace planetserve::adapters {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// Fills in the request's path and query; returns an error for a request that is refused. Checks everything that the
// head can tell, so that a client without the key cannot make the node read megabytes.
std::optional<ApiError> check_header(const RequestParser& parser, const ApiOptions& options, ClientRequest& request);

// Whether the request is for a model.
bool is_for_service(const ClientRequest& request);

// Requires: check_header refused nothing, and the request is not for a model.
std::expected<OwnAnswer, ApiError> own_answer(const ClientRequest& request, ApiShared& shared);

// Requires: check_header refused nothing, and the request is for a model. Takes the body out of the parser.
std::expected<ServiceCall, ApiError> service_call(const ClientRequest& request, RequestParser& parser,
                                                  ApiShared& shared);

}  // namespace planetserve::adapters
