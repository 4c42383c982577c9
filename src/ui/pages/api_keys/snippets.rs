//! Ready lines for a program: the address, the key, nothing to fill in.

/// What may be shown for a key: title and text.
pub fn snippets(origin: &str, slug: &str, secret: &str) -> [(&'static str, String); 4] {
    let base = format!("{origin}/api/proxy/{slug}");
    let curl = format!(
        "curl {base}/v1/chat/completions \\\n  -H \"Authorization: Bearer {secret}\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{\"model\": \"gpt-4.1-mini\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
    );
    let openai = format!(
        "from openai import OpenAI\n\nclient = OpenAI(\n    base_url=\"{base}/v1\",\n    api_key=\"{secret}\",\n)\nanswer = client.chat.completions.create(\n    model=\"gpt-4.1-mini\",\n    messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\nprint(answer.choices[0].message.content)"
    );
    let anthropic = format!(
        "from anthropic import Anthropic\n\nclient = Anthropic(\n    base_url=\"{base}\",\n    api_key=\"{secret}\",\n)\nanswer = client.messages.create(\n    model=\"claude-sonnet-4-5\",\n    max_tokens=256,\n    messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\nprint(answer.content[0].text)"
    );
    let env = format!(
        "OPENAI_BASE_URL={base}/v1\nOPENAI_API_KEY={secret}\nANTHROPIC_BASE_URL={base}\nANTHROPIC_API_KEY={secret}"
    );
    [("curl", curl), ("OpenAI SDK", openai), ("Anthropic SDK", anthropic), (".env", env)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_snippet_carries_the_key_and_the_address_of_the_group() {
        for (title, text) in snippets("https://rondo.example.com", "prod", "rd_secret") {
            assert!(text.contains("rd_secret") && text.contains("https://rondo.example.com/api/proxy/prod"), "{title}");
        }
        let [curl, openai, anthropic, _] = snippets("https://x", "prod", "k");
        assert!(curl.1.starts_with("curl https://x/api/proxy/prod/v1/chat/completions \\\n"));
        assert!(openai.1.contains("base_url=\"https://x/api/proxy/prod/v1\""));
        assert!(anthropic.1.contains("base_url=\"https://x/api/proxy/prod\""));
    }
}
