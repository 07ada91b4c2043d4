"""The page in the browser that shows what a demonstration sees."""
