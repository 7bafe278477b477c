#include <gtest/gtest.h>

#include "eval/confidentiality/clove_attack.h"
#include "eval/confidentiality/confidentiality.h"
#include "eval/confidentiality/confidentiality_experiment.h"
#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

TEST(Confidentiality, ExactValuesByHand) {
    // Two of two paths of one relay: both captured with f^2, by the same of two malicious nodes half of the time.
    DispersalShape two{4, 2, 2, 1};
    EXPECT_NEAR(survives_collusion(two, 0.5), 0.75, 1e-12);
    EXPECT_NEAR(survives_single_nodes(two, 0.5), 1 - 0.25 / 2, 1e-12);
    // One malicious node sees all that is captured.
    EXPECT_NEAR(survives_single_nodes({10, 4, 3, 4}, 0.1), survives_collusion({10, 4, 3, 4}, 0.1), 1e-12);
    EXPECT_EQ(survives_collusion({}, 0), 1);
    EXPECT_EQ(survives_single_nodes({}, 0), 1);
    EXPECT_EQ(survives_collusion({}, 1), 0);
    EXPECT_EQ(captured_probability(3, 1), 1);
    EXPECT_NEAR(captured_probability(2, 0.5), 0.75, 1e-15);
}

TEST(Confidentiality, IsThePapers) {
    struct {
        double f, garlic_cast, planetserve;
    } expected[] = {{0.012, 0.99872, 0.99972}, {0.056, 0.92258, 0.9707}, {0.1, 0.73204, 0.87914}};
    SeededRandom random(1);
    for (const auto& row : expected)
        for (bool garlic : {true, false}) {
            DispersalShape shape{10'000, 4, 3, garlic ? 6U : 4U};
            double paper = garlic ? row.garlic_cast : row.planetserve;
            Survival sampled = sample_survival(shape, row.f, 200'000, random);
            EXPECT_NEAR(survives_collusion(shape, row.f), paper, 0.006);
            EXPECT_NEAR(sampled.collusion, paper, 0.006);
            EXPECT_NEAR(sampled.collusion, survives_collusion(shape, row.f), 0.004);
            EXPECT_NEAR(sampled.single_nodes, survives_single_nodes(shape, row.f), 0.0005);
        }
}

TEST(Confidentiality, SingleNodesAgreeWithSamples) {
    SeededRandom random(2);
    for (DispersalShape shape : {DispersalShape{20, 6, 3, 4}, DispersalShape{50, 5, 2, 3}}) {
        Survival sampled = sample_survival(shape, 0.2, 100'000, random);
        EXPECT_NEAR(sampled.single_nodes, survives_single_nodes(shape, 0.2), 0.007);
    }
}

TEST(CloveAttack, KClovesAreEnoughUnlessSealed) {
    SeededRandom random(3);
    CloveAttack attack({4, 3}, random);
    auto open = attack.disperse();
    std::vector<ByteView> two{open[0], open[2]};
    std::vector<ByteView> three{open[0], open[2], open[3]};
    EXPECT_FALSE(attack.adversaries_read(two));
    EXPECT_TRUE(attack.adversaries_read(three));
    auto sealed = attack.disperse_sealed();
    std::vector<ByteView> all(sealed.begin(), sealed.end());
    EXPECT_FALSE(attack.adversaries_read(all));
    EXPECT_TRUE(attack.model_node_reads(all));
    EXPECT_FALSE(attack.model_node_reads(std::vector<ByteView>{sealed[0], sealed[1]}));
}

TEST(ConfidentialityExperiment, TellsWhatIsWrong) {
    auto ran = run_experiment(*make_confidentiality_experiment(), "--n 3 --k 4");
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().message, "--k 4 is more than --n 3: a message has n cloves");
    EXPECT_THROW((void)run_experiment(*make_confidentiality_experiment(), "--f 0.1,1.5"), CLI::ValidationError);
}

TEST(ConfidentialityExperiment, ReadsRealClovesOnlyUnsealed) {
    auto ran = run_experiment(*make_confidentiality_experiment(), "--f 0.1,0.3 --runs 1000");
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_TRUE(ran->file("confidentiality.csv")
                    .starts_with("f,Garlic Cast (no SNP),Garlic Cast (SNP),PlanetServe (no SNP),PlanetServe (SNP)\n"));
    EXPECT_TRUE(ran->summary.contains("\"read_sealed\": 0\n"));
    EXPECT_FALSE(ran->summary.contains("\"read_as_in_the_paper\": 0,"));
}

}  // namespace
}  // namespace planetserve::eval
