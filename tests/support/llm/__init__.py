"""A stand-in for a language model: an OpenAI-compatible endpoint that does what a script says.

It answers ``POST /v1/chat/completions`` and ``GET /v1/models`` as Ollama, vLLM and the hosted
endpoints do, with their shapes for answers and errors, and refuses what they refuse.
"""
