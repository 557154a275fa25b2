"""What can be asked about webhook endpoints; endpoints.py answers.

All of it is for administrators: who may name a receiver may hear of every payment.
"""

from functools import partial
from typing import Final

from ctrip.flows.keyring import SecretsKeyMissing
from ctrip.flows.register import (
    IsDisabled,
    NoSuchEvent,
    TooManyEndpoints,
    TooManySecrets,
    UnfitUrl,
    WrongKind,
)
from ctrip.web.endpoint_wire import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryView,
    EndpointView,
    ListDeliveries,
    ListEndpoints,
    Queued,
    Recover,
    Redeliver,
    ReplayView,
    RotateSecret,
    Sent,
)
from ctrip.web.endpoints import EndpointPages
from ctrip.web.lists import All, Listed
from ctrip.web.operation import Operation

ALL: Final = "/api/v1/webhook-endpoints"
ONE: Final = ALL + "/{endpoint_id}"
OF_THE_MADE_ONE: Final = {"endpoint_id": "$response.body#/id"}

operation = partial(Operation, scope="admin", gives=EndpointView)


def of_endpoints(pages: EndpointPages) -> list[Operation]:
    """Return every operation on endpoints."""
    return [*keeping(pages), *switching(pages), *sending(pages)]


def keeping(pages: EndpointPages) -> list[Operation]:
    """Return what makes, shows, changes and ends endpoints."""
    return [
        operation(
            method="POST",
            path=ALL,
            page=pages.create,
            name="create_webhook_endpoint",
            says="Make an endpoint. Its secret is in the answer, this once.",
            takes=CreateEndpoint,
            status=201,
            refuses=(UnfitUrl, SecretsKeyMissing, TooManyEndpoints),
            repeats="sealed",
            links={
                "get_webhook_endpoint": OF_THE_MADE_ONE,
                "send_test_event": OF_THE_MADE_ONE,
                "delete_webhook_endpoint": OF_THE_MADE_ONE,
            },
        ),
        operation(
            method="GET",
            path=ALL,
            page=pages.list_all,
            name="list_webhook_endpoints",
            says="List endpoints in the order they were made.",
            asks=ListEndpoints,
            gives=Listed[EndpointView],
        ),
        operation(
            method="GET",
            path=ONE,
            page=pages.get,
            name="get_webhook_endpoint",
            says="Show an endpoint.",
        ),
        operation(
            method="PATCH",
            path=ONE,
            page=pages.change,
            name="change_webhook_endpoint",
            says="Change what the body says, and nothing else.",
            takes=ChangeEndpoint,
            refuses=(UnfitUrl, SecretsKeyMissing, WrongKind),
        ),
        operation(
            method="DELETE",
            path=ONE,
            page=pages.remove,
            name="delete_webhook_endpoint",
            says="Forget an endpoint and what waits for it.",
            status=204,
            gives=None,
            refuses=(WrongKind,),
        ),
    ]


def switching(pages: EndpointPages) -> list[Operation]:
    """Return what makes an endpoint fit to be sent to, or not."""
    return [
        operation(
            method="POST",
            path=f"{ONE}/rotate-secret",
            page=pages.rotate,
            name="rotate_webhook_secret",
            says="Give an endpoint a new secret; the old ones sign beside it for a while.",
            takes=RotateSecret,
            body_may_be_left_out=True,
            refuses=(SecretsKeyMissing, TooManySecrets, WrongKind),
            repeats="sealed",
        ),
        operation(
            method="POST",
            path=f"{ONE}/enable",
            page=pages.enable,
            name="enable_webhook_endpoint",
            says="Send to an endpoint again.",
            refuses=(WrongKind,),
        ),
        operation(
            method="POST",
            path=f"{ONE}/disable",
            page=pages.disable,
            name="disable_webhook_endpoint",
            says="Send nothing to an endpoint any more.",
        ),
    ]


def sending(pages: EndpointPages) -> list[Operation]:
    """Return what shows or repeats what was sent."""
    return [
        operation(
            method="POST",
            path=f"{ONE}/test",
            page=pages.test,
            name="send_test_event",
            says="Send a test event.",
            status=202,
            gives=Sent,
            refuses=(IsDisabled, WrongKind),
        ),
        operation(
            method="GET",
            path=f"{ONE}/deliveries",
            page=pages.deliveries,
            name="list_deliveries",
            says="List what waits for an endpoint, the next first, then what has ended.",
            asks=ListDeliveries,
            gives=Listed[DeliveryView],
        ),
        operation(
            method="POST",
            path=f"{ONE}/redeliver",
            page=pages.redeliver,
            name="redeliver_events",
            says="Send events again, whatever became of them.",
            takes=Redeliver,
            status=202,
            gives=Queued,
            refuses=(NoSuchEvent, IsDisabled),
        ),
        operation(
            method="POST",
            path=f"{ONE}/recover",
            page=pages.recover,
            name="recover_events",
            says="Send what was not delivered since a time, in the background.",
            takes=Recover,
            status=202,
            gives=ReplayView,
            refuses=(IsDisabled, WrongKind),
        ),
        operation(
            method="GET",
            path=f"{ONE}/replays",
            page=pages.replays,
            name="list_recoveries",
            says="List an endpoint's newest recoveries.",
            gives=All[ReplayView],
        ),
    ]
