"""The changing facts about one endpoint, and what one more request there would cost.

    price = (alone * max(1, (in flight + 1) / limit) + surplus + risk) / weight, in seconds

Rule 1: only `pool.EndpointPool` holds States, and touches them under its one lock.
Rule 2: three questions are three parts: how far (`Way`, from geography and probes), how long with
        what is under way (`Load`, from traffic), does it work (`Health`, `Belief`).
Rule 3: `price` is always there to be compared. What changes it by arithmetic alone (a request sent
        or ended) is settled at once; what changes it by evidence or by time, in `reprice`.
Rule 4: an endpoint that was never asked costs what is known of it and the service that others
        need, never nothing: an unknown endpoint at no cost would get everything.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from router.balance.belief import MOST, UNLIKELY, Belief, risk
from router.balance.choice import ANSWERED
from router.balance.health import Availability, Health
from router.balance.host import IDLE
from router.balance.load import FIRST_LIMIT, Load
from router.balance.ranking import Ranked
from router.limits.cap import Cap

if TYPE_CHECKING:
    import random

    from router.balance.choice import Choice
    from router.balance.host import Host
    from router.balance.way import Way
    from router.config.settings import Failover
    from router.endpoint import Endpoint
    from router.geo.prior import Prior
    from router.options import Options

__all__ = ["Availability", "State"]

DOUBTED = -2.0
"""Log-odds from which a probe should find out (`suspect`)."""
AFTER_A_TRIAL = -1.0
CROWDED = 2.0
SKEW_TOLD_EVERY = 60.0  # seconds
QUICKEST = 3.0  # deviations
SURELY = 3.0  # deviations
SETUP_ROUNDS = 3.0
"""Round trips of a new connection: one for TCP, and two for TLS at most."""
SERVICE_MEMORY = 10.0  # seconds
LEAST_SURPLUS = -0.8
NOTHING = 1e-3
NOISE_SHARE = 0.15
"""The deviation of `alone` over that of single answers, at its usual gain."""


@dataclass(slots=True, eq=False)
class State:
    """Everything that changes about one endpoint; instants are monotonic seconds.

    Attributes:
        price: seconds that one more request is expected to cost.
        alone, limit, extra: the parts of the price that requests under way do not change; `risk`
            is a part of `extra`.
        setup: seconds that a new connection may take.
        refusals: how often it asked for fewer requests since its last answer.
        unreached: whether the last failure was that it could not be reached.
        share: one over the weight.
        least_rtt: seconds there and back under which no answer can be; 0: not known.
        restless, drifting: whether the price changes by time alone, within moments or minutes.
        doubtful: whether it is more likely broken than not.
        typical: the service that it was priced with, if it was never asked.
        cap: the limits that it has of its own, if any.
        row: its row of a ranking, until something changes.
        priced: when its price was last worked out.
        board, seat: where its price is shown (`slate`), if it is a candidate for everybody.
    """

    endpoint: Endpoint
    way: Way
    host: Host = IDLE
    load: Load | None = None
    health: Health = field(default_factory=Health)
    belief: Belief | None = None
    in_flight: int = 0
    cooling_until: float = 0.0
    drained: bool = False
    skew: float | None = None
    skew_told: float = -math.inf
    refusals: int = 0
    unreached: bool = False
    answers: int = 0
    errors: int = 0
    price: float = 0.0
    alone: float = 0.0
    limit: float = FIRST_LIMIT
    extra: float = 0.0
    risk: float = 0.0
    lasting_odds: float = UNLIKELY
    share: float = 1.0
    setup: float = 0.0
    least_rtt: float = 0.0
    restless: bool = False
    drifting: bool = False
    doubtful: bool = False
    typical: float = 0.0
    row: Ranked | None = None
    priced: float = -math.inf
    cap: Cap | None = None
    board: list[float] | None = None
    seat: int = 0

    def __post_init__(self) -> None:
        self.setup = SETUP_ROUNDS * self.way.estimate.rtt
        self.take(self.endpoint)
        self.reprice(0.0, 0.0)

    def take(self, endpoint: Endpoint) -> None:
        """Take what a new configuration says of the same endpoint."""
        self.endpoint = endpoint
        self.share = 1 / endpoint.weight
        if endpoint.limits is None:
            self.cap = None
        elif self.cap is None or self.cap.limits != endpoint.limits:
            self.cap = Cap(endpoint.limits)

    def has_room(self, options: Options, now: float) -> bool:
        """Return whether a request is within the limits that it has of its own."""
        return self.cap is None or self.cap.wait(options, self.in_flight, now) <= 0

    # -- how far

    def place(self, prior: Prior) -> None:
        """Take another prior; what probes found stays."""
        self.way.place(prior)
        self.setup = SETUP_ROUNDS * self.way.estimate.rtt

    def probed(self, *, connect: float, warm: float, now: float) -> None:
        """Take a probe that ended well."""
        back = self.health.probed(now)
        if self.unreached and self.health.cause is None:
            back, self.unreached = True, False  # too few failed for an ejection, and it is there
            self.health.recover(now)
        if back:
            self._come_back(UNLIKELY, now)
        longer = self.way.probed(connect=connect, warm=warm, afresh=back, now=now)
        self.least_rtt = self.way.least
        self.setup = SETUP_ROUNDS * self.way.estimate.rtt
        if self.load is not None and longer:
            self.load.moved(longer, least=self.way.estimate.rtt, now=now)

    # -- how long

    def sent(self, choice: Choice, now: float) -> None:
        """Note that an attempt is on its way; settles as `settle` does, without the call."""
        load = self.load
        if load is None:
            load = self.load = Load(self.alone, now=now, host=self.host)
        count = choice.in_flight = self.in_flight = self.in_flight + 1
        alone, limit = self.alone, self.limit
        choice.predicted = self.setup + (alone if count < limit else alone * count / limit)
        choice.sent, choice.busy = now, self.host.busy
        load.ahead[choice] = None
        self.restless = True
        count += 1
        if count > limit:
            alone *= count / limit
        self.price = price = (alone + self.extra) * self.share
        if self.board is not None:
            self.board[self.seat] = price

    def ended(self, choice: Choice, now: float) -> None:
        """Note that an attempt and the body of its answer are over."""
        self.in_flight -= 1
        load = self.load
        assert load is not None, "an end follows a beginning"
        if choice in load.ahead:  # given up unanswered: what its silence says is not lost
            load.ahead.pop(choice, None)
            self._doubt_silence(load, choice, now)
        if choice.held == ANSWERED:
            load.ended(now - choice.sent)
        self.settle()

    def _doubt_silence(self, load: Load, choice: Choice, now: float) -> None:
        self.host.look()
        late = load.lateness(choice, now)
        if late > 0:
            self._belief().silent(late, now)
            self.reprice(now, self.typical)

    def _belief(self) -> Belief:
        if self.belief is None:
            self.belief = Belief()
        return self.belief

    def answered(self, choice: Choice, elapsed: float, *, now: float, typical: bool = True) -> None:
        """Take an answer that speaks for it; `typical`: also of how long requests take."""
        load = self.load
        assert load is not None, "an answer follows a request"
        self.answers += 1
        self.refusals, self.unreached = 0, False
        choice.held = ANSWERED
        load.passed(choice)
        if typical and not load.sated(choice.in_flight, now):
            suggested = None
            if not load.samples and self.typical > 0:
                suggested = self.way.estimate.total + self.typical
            load.answered(elapsed, in_flight=choice.in_flight, now=now, suggested=suggested)
        if self.belief is not None:
            self.belief.answered(now)
        was = self.health.cause
        self.health.answered(now, sent=choice.sent)
        if was is not None and self.health.cause is None:
            self._come_back(AFTER_A_TRIAL, now)

    def heard(self, choice: Choice) -> None:
        """Note that something came back."""
        if self.load is not None:
            self.load.passed(choice)

    def _come_back(self, odds: float, now: float) -> None:
        """Begin again, slowly: what it was like before is no evidence of what it is."""
        self._belief().begin(odds, now)
        if self.load is not None:
            self.load.begin()

    def failed(
        self,
        choice: Choice,
        words: str,
        *,
        reached: bool,
        now: float,
        failover: Failover,
        chance: random.Random,
    ) -> None:
        """Take a failure; `reached` tells whether the endpoint was there at all."""
        assert self.load is not None, "a failure follows a request"
        self.errors += 1
        self.unreached = not reached
        self.load.passed(choice)
        answered = choice.held == ANSWERED  # and then its body failed: nothing was late
        late = 0.0 if answered else self.load.lateness(choice, now)
        self._belief().failed(now, late=late)
        self.health.failed(
            words, reached=reached, trial=choice.trial, now=now, failover=failover, chance=chance
        )

    def absolve(self, *, now: float, failover: Failover, everybody: bool) -> None:
        """Take a failure back that was not its own; a doubt remains unless everybody failed so."""
        if everybody and self.belief is not None:
            self.belief.absolve(now)
        odds = UNLIKELY if everybody else self.odds(now)
        if self.health.absolve(now=now, failover=failover):
            self._come_back(odds, now)

    def copied(self) -> State:
        """Return a copy that learns on its own, without what is under way."""
        own = copy.copy(self)
        own.way = self.way.copied()
        own.health = replace(self.health, trial=False)
        own.belief = copy.copy(self.belief)
        own.load = None if self.load is None else self.load.copied()
        own.in_flight, own.board = 0, None
        own.settle()
        return own

    # -- whether

    def availability(self, now: float) -> Availability:
        """Return whether it can take a request at `now`."""
        if self.drained:
            return Availability.DRAINED
        if now < self.cooling_until:
            return Availability.COOLING
        return self.health.availability(now)

    def changes_at(self, now: float) -> float:
        """Return when time alone changes its availability; inf: never."""
        if self.drained:
            return math.inf
        if now < self.cooling_until:
            return self.cooling_until
        if self.health.cause is None or self.health.trial:
            return math.inf
        return self.health.back_at(now)

    def set_skew(self, skew: float | None, now: float) -> bool:
        """Take by how many seconds its clock is off; return whether people should hear of it."""
        news = self.skew is None and skew is not None and now - self.skew_told >= SKEW_TOLD_EVERY
        if news:
            self.skew_told = now
        self.skew, self.row = skew, None
        return news

    def cool(self, until: float) -> None:
        """Leave it alone until then, because it said so."""
        self.cooling_until = max(self.cooling_until, until)

    def odds(self, now: float) -> float:
        """Return the log-odds that it is broken, from failures and from silence."""
        odds = self._believed(now)
        if self.load is not None and self.load.ahead:
            odds += self.load.silence(now)
        return odds

    def _believed(self, now: float) -> float:
        if self.belief is None:
            return UNLIKELY
        return self.belief.odds(now, waiting=self.in_flight > 0)

    def suspect(self, now: float) -> bool:
        """Return whether a probe should find out now what is wrong."""
        return self.health.cause is None and self.odds(now) > DOUBTED

    def lapsed(self, now: float, cost: float) -> bool:
        """Return whether it would cost less than `cost`, if it were as it was of late."""
        best = self.way.lapsed(now)
        if best is None:
            return False
        beyond = self.alone - self.way.estimate.total
        return (best + max(0.0, beyond)) * self.share < cost

    @property
    def crowded(self) -> bool:
        """Whether it holds so much that another tier may help."""
        return self.in_flight + 1 > CROWDED * self.limit

    # -- what it costs

    @property
    def asked(self) -> bool:
        """Whether traffic ever got an answer there."""
        return self.load is not None and self.load.measured

    @property
    def can_wait(self) -> bool:
        """Whether an answer as usual may be worked into the price when the slate is refreshed."""
        load = self.load
        shown = self.board is not None and not self.doubtful
        return shown and load is not None and load.limit == self.limit

    @property
    def guessed(self) -> bool:
        """Whether neither probes nor traffic ever got an answer there."""
        return self.way.estimate.source == "prior" and not self.asked

    @property
    def lasting(self) -> float:
        """Seconds that a request costs there, leaving out what may pass within moments."""
        return (self.alone + risk(self.lasting_odds, self.alone)) * self.share

    @property
    def lasting_noise(self) -> float:
        """By how many seconds `lasting` may be off by chance: one deviation."""
        if self.load is None or not self.load.measured:
            return self.way.estimate.sd * self.alone * self.share
        return NOISE_SHARE * self.load.deviation * self.share

    @property
    def passing_noise(self) -> float:
        """By how many seconds the price may be off by chance: one deviation."""
        return 0.0 if self.load is None else self.load.noise * self.share

    def service(self, now: float) -> tuple[float, float]:
        """Return the seconds of service that traffic saw beyond probes', and its weight 0…1.

        Answers that surely became quicker of late count at once: a burst of this host's own work
        that is over must not be expected of who was not asked since.
        """
        load = self.load
        if load is None or not load.measured:
            return 0.0, 0.0
        weight = math.exp(min(0.0, load.heard - now) / SERVICE_MEMORY)
        surplus = load.faded_surplus(now, waiting=self.in_flight > 0)
        quicker = min(0.0, surplus + SURELY * load.noise)
        return load.alone + quicker - self.way.estimate.total, weight

    def reprice(self, now: float, typical: float) -> None:
        """Settle the price from all that is known; `typical`: service where nothing else is.

        Who is on trial is asked by one request, so that what it did before does not count; who is
        ejected and asked all the same is taken to be broken.
        """
        load = self.load
        self.priced = now
        self.typical = typical
        suggested = self.way.estimate.total + typical
        if load is None or not load.measured:
            self.alone, surplus = suggested, 0.0
            self.drifting = False
        else:
            self.alone = load.faded_alone(now, suggested)
            self.least_rtt = max(self.way.least, self.alone - QUICKEST * load.deviation)
            surplus = load.faded_surplus(now, waiting=self.in_flight > 0)
            self.drifting = True
        if load is not None:
            self.limit = load.limit
        if self.health.cause is None:
            self.lasting_odds = odds = self._believed(now)
            if load is not None and load.ahead:
                odds += load.silence(now)
        else:
            on_trial = self.health.availability(now) is Availability.TRIAL
            self.lasting_odds = odds = UNLIKELY if on_trial else MOST
        self.risk = risk(odds, self.alone)
        self.extra = max(surplus, LEAST_SURPLUS * self.alone) + self.risk
        if abs(self.extra) < NOTHING * self.alone:
            self.extra = self.risk = 0.0
        self.doubtful = odds > 0
        self.row = None
        self.restless = self.extra != 0.0 or (load is not None and bool(load.ahead))
        self.settle()

    def settle(self) -> None:
        """Settle the price after a request was sent, or ended."""
        alone, count = self.alone, self.in_flight + 1
        if count > self.limit:
            alone *= count / self.limit
        self.price = (alone + self.extra) * self.share
        if self.board is not None:
            self.board[self.seat] = self.price

    @property
    def cost(self) -> float:
        """Seconds that a request would cost if none were under way, over the weight."""
        return (self.alone + self.extra) * self.share

    def ranked(self, now: float) -> Ranked:
        """Return its row of a ranking as of `now`."""
        self.row = Ranked(
            endpoint=self.endpoint,
            estimate=self.way.estimate,
            prior=self.way.prior,
            cost=self.cost,
            health=self.availability(now).value,
            trouble=self.health.trouble,
            misplaced=self.way.misplaced,
            skew=self.skew,
            alone=self.alone,
            limit=self.limit,
            surplus=self.extra - self.risk,
            risk=self.risk,
            in_flight=self.in_flight,
            asked=self.asked,
            least=self.least_rtt,
            total=math.nan if self.load is None else self.load.total,
        )
        return self.row
