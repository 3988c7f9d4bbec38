"""What other systems tell by themselves: their signatures checked, their payloads made items.

Each source is a pure function from payload to items; ``routes`` forwards them by gRPC and keeps
nothing.
"""
