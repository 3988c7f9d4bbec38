"""Plans between the contract and the domain."""

from typing import Final

from colonnade.scheduler.v1 import plan_pb2
from colonnade.scheduler.v1 import planner_service_pb2 as pb

from services.scheduler.convert import moment_in
from services.scheduler.domain.names import PLAN_DECISION, channel_key, persona_id
from services.scheduler.domain.plan_record import PlanRecord
from services.scheduler.domain.planning import Decision, Strategy
from services.scheduler.usecases.plan_calendar import Options, Plan, Wanted

_STRATEGIES: Final = {
    plan_pb2.PlanOptions.STRATEGY_UNSPECIFIED: Strategy.SHARE,
    plan_pb2.PlanOptions.STRATEGY_SHARE: Strategy.SHARE,
    plan_pb2.PlanOptions.STRATEGY_BEST_FIRST: Strategy.BEST_FIRST,
    plan_pb2.PlanOptions.STRATEGY_ROTATION: Strategy.ROTATION,
    plan_pb2.PlanOptions.STRATEGY_THEME: Strategy.THEME,
}


def options_of(message: plan_pb2.PlanOptions) -> Options:
    """The options, with what is meant where nothing is said."""
    usual = Options()
    return Options(
        start=moment_in(message, "start_time"),
        days=message.days or usual.days,
        strategy=_STRATEGIES[message.strategy],
        most=message.max_posts or usual.most,
        seed=message.seed,
    )


def wanted_of(request: pb.CommitPlanRequest) -> Wanted:
    """What CommitPlan asks for."""
    channels = tuple(channel_key(name, "channels") for name in request.channels)
    return Wanted(
        persona=persona_id(request.parent),
        options=options_of(request.options),
        fingerprint=request.fingerprint,
        caption=request.caption,
        hashtags=tuple(request.hashtags),
        channels=channels or None,
        compose=request.compose,
    )


def plan_message(plan: Plan) -> plan_pb2.CalendarPlan:
    """The plan as callers see it."""
    return plan_pb2.CalendarPlan(
        posts=map(planned_message, plan.decisions),
        unfilled_count=plan.unfilled,
        fingerprint=plan.fingerprint,
        unfit_counts=plan.unfit,
    )


def planned_message(decision: Decision) -> plan_pb2.PlannedPost:
    """What was chosen, and why."""
    message = plan_pb2.PlannedPost(
        photo=decision.photo,
        file_name=decision.file_name,
        pillar=decision.pillar,
        slot_reason=decision.slot.reason,
        reason=decision.reason,
        relaxed=decision.relaxed,
        scores=[
            plan_pb2.PillarScore(
                pillar=score.pillar,
                weight=score.weight,
                share=score.share,
                score=score.score,
                stock=score.stock,
            )
            for score in decision.scores
        ],
        refused=[
            plan_pb2.RuleCount(
                rule=plan_pb2.RuleCount.Rule.Value(f"RULE_{rule.upper()}"), count=count
            )
            for rule, count in sorted(decision.refused.items())
        ],
    )
    message.scheduled_time.FromDatetime(decision.slot.at)
    return message


def record_message(record: PlanRecord) -> plan_pb2.PlanDecision:
    """A decision that was carried out."""
    message = plan_pb2.PlanDecision(
        name=PLAN_DECISION.format(*record.key),
        post=record.post,
        strategy=plan_pb2.PlanOptions.Strategy.Value(f"STRATEGY_{record.strategy.upper()}"),
        planned_post=planned_message(record.decision),
    )
    message.create_time.FromDatetime(record.create_time)
    return message
