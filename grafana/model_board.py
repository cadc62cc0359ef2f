"""The dashboard *Model*: whether what is recommended still fits what is asked for and bought. Of several instances it shows
the worst: the largest distance, the smallest critical value."""
from panels import (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, YELLOW, annotation, coloured, dashboard, heatmap, merged_table, row,
                    stat, states, target, timeseries)

ALARMING = 'reference=~"training|baseline"'         # a distance to the window before shows a jump, and alarms nobody
CURRENT = "and on (job, instance, generation) akin_model_info{@}"
OUTCOMES = coloured(full=GREEN, filled=BLUE, short=YELLOW, unknown=ORANGE)
STATES = ((0, "unknown", GREY), (1, "stable", GREEN), (2, "warning", YELLOW), (3, "drifted", RED))
CONCEPT = " or ".join(f'{number} * akin_concept_drift_state{{@, state="{name}"}}' for number, name, _ in STATES)


def overview():
    return [
        stat("Features drifted", "Features that differ from training or from the baseline, by the server's verdict over several "
             "windows. AkinDataDrift and AkinUnknownIdsRising fire for them. No verdict: the last windows were too small for any.",
             "short", f"""(sum(akin_drift_detected{{@, {ALARMING}}}) > 0) or - (min(akin_drift_insufficient{{@, {ALARMING}}}) == 1)
             or sum(akin_drift_detected{{@, {ALARMING}}})""", (3, 4), GREY, (0, GREEN), (1, RED),
             mappings=((-1, "no verdict", GREY),)),
        stat("Concept", "Whether purchases still follow the recommendations, by Page and Hinkley's test. Unknown until there is "
             "enough feedback, and a rate to expect.", "short", f"max({CONCEPT})", (3, 4), GREY, (1, GREEN), (2, YELLOW), (3, RED),
             graph=False, mappings=STATES),
        stat("Hit rate", "Of the purchases in the last closed window, those that the model that is served had recommended. "
             "AkinHitRateFalling fires below half of the backtest's.", "percentunit", f"max(akin_hit_rate{{@}} {CURRENT})",
             (3, 4), BLUE),
        stat("Unknown customers", "Distinct customers asked for in the last closed window whom the model does not know.", "percentunit",
             'max(akin_drift_unknown_ratio{@, feature="user_unknown", reference="window"})', (3, 4), GREEN, (0.25, YELLOW), (0.35, RED)),
        stat("Unknown items", "Distinct items asked for in the last closed window that the model does not know.", "percentunit",
             'max(akin_drift_unknown_ratio{@, feature="item_unknown", reference="window"})', (3, 4), GREEN, (0.05, YELLOW), (0.1, RED)),
        stat("Not full", "Share of the answers with fewer results of their own than were asked for, filled up or short. "
             "AkinFillRatioRising fires when it has risen by eight points against the day before.", "percentunit",
             """sum(rate(akin_predictions_total{@, outcome=~"filled|short"}[$__rate_interval]))
             / sum(rate(akin_predictions_total{@, outcome!="unknown"}[$__rate_interval])) >= 0""", (3, 4), BLUE),
        stat("Last retraining", "Time since the last retraining ended, well or not.", "s", "min(akin_retrain_age_seconds{@})", (3, 4),
             BLUE, graph=False, decimals=1),
        stat("Age of the data", "Age of the newest transaction in the model. AkinDataStale fires above eight days.", "s",
             "max(akin_data_age_seconds{@})", (3, 4), GREEN, (7 * 86400, YELLOW), (8 * 86400, RED), graph=False, decimals=1),
    ]


def drift():
    def against(reference, words):
        return [timeseries(f"KS distance, {reference}", f"How far each feature of the last closed window is from {words}, and beyond "
                           "which distance (grey) chance no longer explains it.", "none", [
            target(f'max by (feature) (akin_drift_ks_distance{{@, reference="{reference}"}})', "{{feature}}"),
            target(f'min by (feature) (akin_drift_ks_critical{{@, reference="{reference}"}})', "{{feature}} critical")],
            (8, 8), fill=0, step=True, overrides=coloured(**{".* critical": GREY}))]

    def psi(reference, words):
        return [timeseries(f"PSI, {reference}", f"Population stability index of each feature against {words}, and its critical value "
                           "(grey). Only item_mix has no other measure.", "none", [
            target(f'max by (feature) (akin_drift_psi{{@, reference="{reference}"}})', "{{feature}}"),
            target(f'min by (feature) (akin_drift_psi_critical{{@, reference="{reference}"}})', "{{feature}} critical")],
            (8, 8), fill=0, step=True, overrides=coloured(**{".* critical": GREY}))]

    every = (("training", "the model's own population"), ("baseline", "the first windows after the model was published"),
             ("previous", "the windows just before"))
    return [
        row("Drift of what is asked for"),
        states("Verdicts", "Each feature against each reference. Drifted: significant and by much, in several windows running. No "
               "verdict: the last window, or the reference, does not suffice, and what was found before stays.",
               """max by (feature, reference) (
                   akin_drift_detected{@} + 2 * akin_drift_insufficient{@} * (1 - akin_drift_detected{@}))""",
               "{{feature}}, {{reference}}", (24, 14), ((0, "as before", GREEN), (1, "drifted", RED), (2, "no verdict", GREY))),
        *[panel for reference in every for panel in against(*reference)],
        *[panel for reference in every for panel in psi(*reference)],
        timeseries("Unknown ids", "Share of unknown ids among the distinct ids asked for in the last closed window, and what each "
                   "reference lets expect.", "percentunit",
                   [target("max by (feature, reference) (akin_drift_unknown_ratio{@})", "{{feature}}, {{reference}}")],
                   (8, 8), fill=0, step=True, overrides=coloured(**{"user.*window": RED, "item.*window": ORANGE})),
        timeseries("p-values", "How probable a difference as large as this one were by chance. A feature counts as different below the "
                   "setting drift_alpha_permille divided by the number of features.", "percentunit", [
            target(f"min by (feature, reference) (akin_drift_ks_p_value{{@, {ALARMING}}})", "{{feature}}, {{reference}}"),
            target(f"min by (feature, reference) (akin_drift_unknown_p_value{{@, {ALARMING}}})", "{{feature}}, {{reference}}")],
            (8, 8), fill=0, step=True, defaults={"max": 1}),
        timeseries("Samples", "What verdicts rest on: samples of the last closed window, and of the reference. Against training they "
                   "are distinct customers or items, else requests.", "short", [
            target("min by (feature, reference) (akin_drift_window_samples{@})", "{{feature}}, {{reference}}"),
            target("min by (feature, reference) (akin_drift_reference_samples{@})", "{{feature}}, {{reference}}: reference")],
            (8, 8), fill=0, step=True, overrides=coloured(**{".*: reference": GREY})),
    ]


def predictions():
    return [
        row("What is recommended"),
        timeseries("Answers", "Predictions per second by what became of them. Full: all results are the answer's own; filled: some "
                   "are the fill; short: fewer than asked for; unknown: the id is not in the model.", "reqps",
                   [target("sum by (kind, outcome) (rate(akin_predictions_total{@}[$__rate_interval]))", "{{kind}} {{outcome}}")],
                   (8, 8), stack=True),
        timeseries("Not full, unknown", "Share of the answers that are filled or short, and of the requests for ids that the model "
                   "does not know, by kind.", "percentunit", [
            target("""sum by (kind) (rate(akin_predictions_total{@, outcome=~"filled|short"}[$__rate_interval]))
                   / sum by (kind) (rate(akin_predictions_total{@, outcome!="unknown"}[$__rate_interval])) >= 0""", "{{kind}} not full"),
            target("""sum by (kind) (rate(akin_predictions_total{@, outcome="unknown"}[$__rate_interval]))
                   / sum by (kind) (rate(akin_predictions_total{@}[$__rate_interval])) >= 0""", "{{kind}} unknown")],
            (8, 8), fill=0, overrides=coloured(**{"user not.*": BLUE, "item not.*": PURPLE, "user unknown": RED, "item unknown": ORANGE})),
        timeseries("Results by source", "Recommended ids per second: those of the nearest customer, of similar items, and the fill.",
                   "cps", [target("sum by (source) (rate(akin_predicted_ids_total{@}[$__rate_interval]))", "{{source}}")],
                   (8, 8), stack=True, overrides=coloured(user=GREEN, item=BLUE, popular=YELLOW)),
        heatmap("Top score", "Answers per second by the score of their first own result: the darker, the more.", "none",
                "sum by (le) (rate(akin_prediction_top_score_bucket{@}[$__rate_interval]))", (8, 8)),
        heatmap("Own results", "Answers per second by how many of their results are their own.", "short",
                "sum by (le) (rate(akin_prediction_own_results_bucket{@}[$__rate_interval]))", (8, 8)),
        timeseries("Mean top score", "Mean score of the first own result over the last rate interval, by kind.", "none",
                   [target("""sum by (kind) (rate(akin_prediction_top_score_sum{@}[$__rate_interval]))
                           / sum by (kind) (rate(akin_prediction_top_score_count{@}[$__rate_interval])) >= 0""", "{{kind}}")],
                   (4, 8), fill=0),
        timeseries("Catalogue shown", "Share of all items that were in an answer in the last closed window, by kind; of several "
                   "instances, the largest.", "percentunit",
                   [target("max by (kind) (akin_catalogue_returned_ratio{@})", "{{kind}}")], (4, 8), step=True),
    ]


def statistics():
    columns = ("number", "mean", "median", "min", "max", "stddev", "p10", "p25", "p75", "p90", "p99")

    def spread(title, description, value, unit="short"):
        return timeseries(title, description, unit, [
            target(f'avg by (kind, statistic) (akin_prediction_statistic{{@, value="{value}", statistic=~"mean|median|p10|p90"}})',
                   "{{kind}} {{statistic}}")], (8, 7), fill=0, step=True)

    return [
        row("Statistics of the last closed window"),
        merged_table("Statistics", "How many values a window has, and what they come to, by kind of request; of several instances, "
                     "their mean.",
                     {name: f'avg by (kind, value) (akin_prediction_statistic{{@, statistic="{name}"}})' for name in columns},
                     {"kind": "Kind", "value": "Value"}, (24, 10)),
        spread("Top scores", "Score of the first own result of each answer; answers without one are left out.", "top_score", "none"),
        spread("Mean scores", "Mean score of the results of each answer, fill included.", "mean_score", "none"),
        spread("Numbers of own results", "Results of each answer that are no fill.", "own_results"),
        spread("Histories", "Items that the customers who were asked for have in the model.", "history"),
        spread("Popularity asked", "Place in the popular ranking of the items asked for, 1 for the first.", "asked_rank"),
        spread("Popularity returned", "Place in the popular ranking of the items recommended.", "returned_rank"),
    ]


def feedback():
    return [
        row("What customers then do"),
        timeseries("Hit rate", "Of the purchases in the last closed window, those that had been recommended, by generation of the "
                   "model; and what the backtest of the model that is served promises.", "percentunit", [
            target("avg by (generation) (akin_hit_rate{@})", "generation {{generation}}"),
            target("max(akin_hit_rate_baseline{@})", "backtest")],
            (8, 8), fill=0, step=True, overrides=coloured(backtest=GREY)),
        timeseries("Page-Hinkley", "How far the hits have fallen behind what is expected of them; beyond the threshold the concept "
                   "has drifted, from half of it on there is a warning.", "none", [
            target("max(akin_concept_drift_statistic{@})", "statistic"),
            target("min(akin_concept_drift_threshold{@})", "threshold")],
            (8, 8), fill=0, overrides=coloured(statistic=BLUE, threshold=RED)),
        states("Concept, by instance", "What Page and Hinkley's test says of the purchases since the model was published.",
               f"max by (instance) ({CONCEPT})", "{{instance}}", (8, 8), STATES),
        timeseries("Hits by rank and source", "Events per second on something that had been shown, by its place in the answer and "
                   "where it came from.", "cps",
                   [target("sum by (source, rank) (rate(akin_feedback_hits_total{@}[$__rate_interval]))", "{{source}}, {{rank}}")],
                   (8, 8), stack=True),
        timeseries("Feedback", "Events per second that were taken, by kind, and events that were appended to the log.", "cps", [
            target("sum by (event) (rate(akin_feedback_events_total{@}[$__rate_interval]))", "{{event}}"),
            target("sum(rate(akin_feedback_logged_total{@}[$__rate_interval]))", "logged"),
            target("sum(rate(akin_feedback_log_errors_total{@}[$__rate_interval]))", "log errors")],
            (8, 8), fill=0, overrides=coloured(logged=GREY, **{"log errors": RED})),
        timeseries("Outcomes", "What became of each event, per second.", "cps",
                   [target("sum by (outcome) (rate(akin_feedback_outcomes_total{@}[$__rate_interval]))", "{{outcome}}")],
                   (8, 8), stack=True),
        timeseries("Trials", "Purchases of something new after an answer, and those of them that the answer had, per second.", "cps", [
            target("sum(rate(akin_feedback_trials_total{@}[$__rate_interval]))", "trials"),
            target("sum(rate(akin_feedback_trial_hits_total{@}[$__rate_interval]))", "hits")],
            (8, 7), fill=0, overrides=coloured(trials=GREY, hits=GREEN)),
        timeseries("Trials in a window", "Trials in the last closed window, by generation: what the hit rate rests on.", "short",
                   [target("sum by (generation) (akin_hit_rate_trials{@})", "generation {{generation}}")], (8, 7), fill=0, step=True),
        timeseries("Ages", "Time since the newest transaction of the model, and since the model was built.", "s", [
            target("max by (instance) (akin_data_age_seconds{@})", "data, {{instance}}"),
            target("max by (instance) (akin_model_age_seconds{@})", "model, {{instance}}")], (8, 7), fill=0),
    ]


def watching():
    return [
        row("Windows and retraining"),
        timeseries("Windows closed", "Windows closed per rate interval, by kind.", "short",
                   [target("sum by (kind) (increase(akin_windows_closed_total{@}[$__rate_interval]))", "{{kind}}")], (6, 7),
                   style="bars", interval="1m"),
        timeseries("Last window", "Requests, or trials, in the last closed window; distinct ids in it; and those of them that the model "
                   "does not know.", "short", [
            target("max by (kind) (akin_window_requests{@})", "{{kind}} requests"),
            target("max by (kind) (akin_window_entities{@})", "{{kind}} ids"),
            target("max by (kind) (akin_window_unknown_ids{@})", "{{kind}} unknown ids")], (6, 7), fill=0, step=True),
        timeseries("Age of the last window", "Time since a window of each kind was closed, how long that window was, and how long one may "
                   "last. AkinNoClosedWindow fires at three times that.", "s", [
            target("time() - max by (kind) (akin_window_end_timestamp_seconds{@} > 0)", "{{kind}}"),
            target("max by (kind) (akin_window_duration_seconds{@})", "{{kind}}: length"),
            target("max(akin_window_limit_seconds{@})", "limit")], (6, 7), fill=0, overrides=coloured(limit=RED)),
        timeseries("Monitor", "Time since the monitor last looked, which it does four times a second, and how often it has been "
                   "replaced within the rate interval.", "s", [
            target("max by (instance) (akin_monitor_age_seconds{@})", "{{instance}}"),
            target("sum by (instance) (increase(akin_monitor_restarts_total{@}[$__rate_interval]))", "{{instance}} restarts")],
            (6, 7), fill=0, overrides=coloured(**{".* restarts": RED})),
        timeseries("Retrainings", "Retrainings that ended, per rate interval, by result.", "short",
                   [target("sum by (result) (increase(akin_retrain_total{@}[$__rate_interval]))", "{{result}}")], (8, 7),
                   style="bars", interval="1m",
                   overrides=coloured(ok=GREEN, build_failed=RED, refused=ORANGE, deploy_failed=PURPLE, held_off=YELLOW, busy=GREY)),
        states("Last retraining successful", "Whether the last retraining led to a new model that is served.",
               "min by (instance) (akin_retrain_last_successful{@})", "{{instance}}", (8, 7), ((0, "failed", RED), (1, "ok", GREEN))),
        timeseries("Generation", "Generation of the model that is served: one more with every successful reload or rollback.", "short",
                   [target("max by (instance) (akin_model_generation{@})", "{{instance}}")], (8, 7), fill=0, step=True),
    ]


def akin_model():
    return dashboard("akin-model", "Model",
                     "Whether the model still fits: statistics of what is recommended, drift of what is asked for, what customers then "
                     "do, and retraining.", "akin_build_info",
                     [*overview(), *drift(), *predictions(), *statistics(), *feedback(), *watching()], [
        annotation("Model published", GREEN,
                   """1000 * akin_model_info{@} * on (job, instance) group_left ()
                   akin_model_published_timestamp_seconds{@}""", "Generation {{generation}} on {{instance}}",
                   "{{items}} items, {{customers}} customers, checksum {{checksum}}", value_is_time=True),
        annotation("Reload failed", RED,
                   'sum by (instance, reason) (increase(akin_reloads_total{@, result="failure"}[3m])) > 0',
                   "Reload failed on {{instance}}", "{{reason}}: the older model is still served"),
        annotation("Rolled back", YELLOW,
                   'sum by (instance) (increase(akin_rollbacks_total{@, result="success"}[3m])) > 0',
                   "{{instance}} was rolled back", "the generation before is served again"),
        annotation("Retraining ended", BLUE, "1000 * (akin_retrain_last_timestamp_seconds{@} > 0)",
                   "Retraining of {{instance}} ended", "", value_is_time=True),
        annotation("Drifted", PURPLE, f"max by (instance, feature, reference) (akin_drift_detected{{@, {ALARMING}}}) == 1",
                   "{{feature}} on {{instance}} differs from {{reference}}", ""),
    ])
