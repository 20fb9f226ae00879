"""The replica: the vector store follows the rows of PostgreSQL, change by change.

In: rows of `VectorChange`, which triggers write (migration 0002). Out: points upserted and deleted by the id of their
row. Open `drain` first.

    drain                claims batches and applies them, until nothing is due
    apply                one batch: read the rows, embed, write, end each change
    outbox               claims changes, ends them, asks for points to be looked at again
    outbox_statements    the SQL by which a claimed change ends
    points               from a row to its point: indexed text, filterable payload
    embedding            texts as dense vectors
    bm25                 texts as sparse vectors
    stores/              the vector store: Qdrant Edge in this process, or a Qdrant server
    process_store        the store and the embedder of this process
    chore                wakes the drain; loaded by every process, so it imports no store
"""
