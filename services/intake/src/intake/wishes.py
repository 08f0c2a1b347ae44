"""The words of stop_words.py, written as they are compared: small, without marks above letters, without signs."""

KEYWORDS = frozenset({"stop", "stopall", "quit", "end", "revoke", "optout", "cancel", "unsubscribe"})
"""Always revoke: 47 CFR 64.1200(a)(10), and what Twilio adds."""

START = frozenset({"start", "unstop"})
"""Bring texts back; nothing else does, and only as the whole text."""

HELP = frozenset({"help", "info", "hilfe", "aide", "ayuda"})

FILLERS = frozenset({"please", "pls", "plz", "bitte", "svp", "merci", "danke", "gracias", "thanks", "thank", "you"})
"""Change nothing about a keyword beside them."""

ALONE = frozenset(
    {
        # German, French, Spanish: what says it as the whole text, and could be anything within one
        *("stopp", "halt", "ende", "schluss", "aus", "raus", "genug", "enough", "no"),
        *("nein", "non", "fin", "finir", "arret", "arreter", "assez", "alto", "pare", "para", "parar", "basta"),
        *("baja", "fuera", "salir", "remove", "delete", "block", "leave", "leavemealone", "nomore", "unsub"),
    }
)

WISHES = frozenset(
    {
        # English
        *("leave me alone", "remove me", "take me off", "no more", "opt me out", "opt out", "unsub", "sign me off"),
        *("do not text", "dont text", "don t text", "do not contact", "dont contact", "don t contact"),
        *("do not message", "dont message", "don t message", "do not send", "dont send", "don t send"),
        *("do not want", "dont want", "don t want", "stop texting", "stop sending", "stopped", "stopping"),
        *("not interested", "go away", "get lost", "delete my number", "lose my number", "wrong number"),
        *("wrong person", "withdraw my consent", "i withdraw", "never text", "never contact", "no longer want"),
        # German
        *("stopp", "hor auf", "hort auf", "horen sie auf", "aufhoren", "abmelden", "abbestellen", "austragen"),
        *("kundigen", "widerruf", "widerrufe", "widerrufen", "abmeldung", "keine sms", "keine nachrichten"),
        *("keine nachricht", "nicht mehr", "in ruhe", "loschen", "beenden", "falsche nummer", "will nicht"),
        *("mochte nicht", "mochte keine", "will keine", "nicht schreiben"),
        # French
        *("arret", "arrete", "arretez", "arreter", "desabonner", "desabonnez", "desinscrire", "desinscription"),
        *("resilier", "annuler", "tranquille", "plus de sms", "plus de message", "plus de messages", "ne plus"),
        *("plus recevoir", "cessez", "supprimez", "supprimer", "mauvais numero", "ne veux pas", "fichez moi la paix"),
        # Spanish
        *("pare", "paren", "parar", "alto", "basta", "cancelar", "cancela", "darme de baja", "dar de baja"),
        *("deme de baja", "de baja", "dejen de", "deje de", "dejame en paz", "dejenme en paz", "en paz"),
        *("no mas", "no me escriban", "no me escriba", "no quiero", "detener", "detenga", "detenganse", "eliminar"),
        *("eliminenme", "borrar", "borrenme", "desuscribir", "anular", "numero equivocado"),
    }
)
"""Mean it wherever they stand; written with the spaces between their words."""
