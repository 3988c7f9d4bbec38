"""Language models behind any endpoint that speaks the chat completions API of OpenAI."""
