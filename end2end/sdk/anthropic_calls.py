"""Plain and streamed calls with the official Anthropic SDK, and its own errors for a wrong and a spent key.

Called as: anthropic_calls.py BASE_URL KEY SPENT_KEY; prints one JSON object.
"""

import json
import sys

from anthropic import Anthropic, AuthenticationError, RateLimitError

base_url, key, spent = sys.argv[1:]
ask = {"model": "test-model", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}


def client(api_key):
    return Anthropic(base_url=base_url, api_key=api_key, max_retries=0)


def error_of(api_key):
    try:
        client(api_key).messages.create(**ask)
    except (AuthenticationError, RateLimitError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {"type": type(error).__name__, "status": error.status_code, "body": body, "message": error.message}
    return None


good = client(key)
with good.messages.stream(**ask) as stream:
    streamed = list(stream.text_stream)
print(
    json.dumps(
        {
            "plain": good.messages.create(**ask).content[0].text,
            "streamed": streamed,
            "wrong": error_of("rondo-wrong"),
            "spent": error_of(spent),
        }
    )
)
