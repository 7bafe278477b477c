#include "adapters/api/response_writer.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

using Framing = ResponseWriter::Framing;

TEST(ResponseWriter, FramesABodyByItsLength) {
    ResponseWriter writer;
    writer.put_head({{200, {{"content-type", "text/plain"}, {"x-request-id", "theirs"}}}, "req_1", Framing::length, 2});
    writer.put_body("ok");
    writer.finish();
    EXPECT_EQ(writer.take(),
              "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-request-id: req_1\r\ncontent-length: 2\r\n"
              "connection: keep-alive\r\n\r\nok");
    EXPECT_EQ(writer.stage(), ResponseWriter::Stage::finished);
    EXPECT_EQ(writer.body_bytes(), 2u);
    EXPECT_EQ(writer.take(), "");
}

TEST(ResponseWriter, FramesABodyInChunks) {
    ResponseWriter writer;
    writer.put_head({{200, {{"content-type", "text/event-stream"}}}, "req_1", Framing::chunks, 0});
    std::string head = writer.take();
    EXPECT_NE(head.find("transfer-encoding: chunked\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("cache-control: no-cache\r\n"), std::string::npos) << head;
    writer.put_body("data: 0123456789\n\n");
    writer.put_body("");
    writer.finish();
    EXPECT_EQ(writer.take(), "12\r\ndata: 0123456789\n\n\r\n0\r\n\r\n") << "an empty chunk would end the body";
}

TEST(ResponseWriter, FramesABodyByTheConnectionsEnd) {
    ResponseWriter writer;
    writer.put_head({{200, {}}, "req_1", Framing::close, 0, ConnectionAfter::closed});
    writer.put_body("a");
    writer.finish();
    EXPECT_EQ(writer.take(), "HTTP/1.1 200 OK\r\nx-request-id: req_1\r\nconnection: close\r\n\r\na");
}

TEST(ResponseWriter, AnErrorEndsTheEventBeforeIt) {
    for (std::string_view last : {"data: 1\n\n", "data: 1\r\n\r\n"}) {
        ResponseWriter writer;
        writer.put_head({{200, {{"content-type", "text/event-stream"}}}, "req_1", Framing::close, 0});
        writer.put_body(last);
        EXPECT_TRUE(writer.at_event_end());
        writer.put_body("data: ha");
        EXPECT_FALSE(writer.at_event_end());
        writer.take();
        writer.put_last_events(error_events({500, "broken"}, "/v1/chat/completions"));
        EXPECT_TRUE(writer.take().starts_with("\n\n"));
    }
}

}  // namespace
}  // namespace planetserve::adapters
