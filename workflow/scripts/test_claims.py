"""Rule test_claims: see dissect_iqa.claims.test_claims."""

from dissect_iqa.study.job import job

with job(snakemake.log[0]):
    from dissect_iqa.claims.answers import all_answers
    from dissect_iqa.claims.test_claims import test_claims, write_claims
    from dissect_iqa.correlation.hold_contests import only
    from dissect_iqa.correlation.summary import summarise
    from dissect_iqa.files.provenance import read_table
    from dissect_iqa.study.frozen import thaw

    study, given = thaw(snakemake.config["frozen_study"]), snakemake.input
    level = study.config.statistics.level
    held = study.read("hold_contests", study.rated(), given.contests)
    contests = only(held.values(), study.planned_contests(), level)
    table = read_table(given.correlations, study.spec("collect"))
    best, models = summarise(table), study.models_frame()
    best = best[best["dataset"].isin(study.rated())]
    seen = study.read("find_thresholds", study.threshold_sets(), given.thresholds)
    kept = study.read("measure_invariance", study.misaligned_sets(), given.invariance)
    answers = all_answers(table, best, models, seen, kept)
    claims, text = test_claims(best, models, contests, study.labels(), level, answers)
    places = snakemake.output.table, snakemake.output.text
    write_claims(claims, text, *places, study.remarks(), study.notice())
