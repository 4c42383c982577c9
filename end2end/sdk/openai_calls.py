"""Plain and streamed calls with the official OpenAI SDK, and its own errors for a wrong and a spent key.

Called as: openai_calls.py BASE_URL KEY SPENT_KEY; prints one JSON object.
"""

import json
import sys

from openai import AuthenticationError, OpenAI, RateLimitError

base_url, key, spent = sys.argv[1:]
ask = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


def client(api_key):
    return OpenAI(base_url=f"{base_url}/v1", api_key=api_key, max_retries=0)


def error_of(api_key):
    try:
        client(api_key).chat.completions.create(**ask)
    except (AuthenticationError, RateLimitError) as error:
        return {"type": type(error).__name__, "status": error.status_code, "code": error.code, "message": error.message}
    return None


good = client(key)
print(
    json.dumps(
        {
            "models": [model.id for model in good.models.list()],
            "plain": good.chat.completions.create(**ask).choices[0].message.content,
            "streamed": [
                chunk.choices[0].delta.content
                for chunk in good.chat.completions.create(**ask, stream=True)
                if chunk.choices and chunk.choices[0].delta.content
            ],
            "wrong": error_of("rondo-wrong"),
            "spent": error_of(spent),
        }
    )
)
