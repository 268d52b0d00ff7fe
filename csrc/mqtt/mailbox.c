/* A list of messages, bounded by number and bytes. */
#include "mailbox.h"

#include <stdlib.h>
#include <string.h>

#include "../host/clock.h"

enum { MAIL_MAX = 1024, MAIL_BYTES = 4 << 20 };

pp_mail *pp_mail_new(const char *topic, size_t topic_length, const void *payload, size_t length)
{
    pp_mail *mail = calloc(1, sizeof *mail);
    char *name = malloc(topic_length + 1);
    uint8_t *bytes = malloc(length + 1);
    if (!mail || !name || !bytes) {
        free(mail);
        free(name);
        free(bytes);
        return NULL;
    }
    memcpy(name, topic, topic_length);
    name[topic_length] = 0;
    memcpy(bytes, payload, length);
    mail->topic = name;
    mail->payload = bytes;
    mail->length = length;
    mail->arrival_ns = pp_now_ns();
    return mail;
}

void pp_mail_free(pp_mail *mail)
{
    if (!mail)
        return;
    free(mail->topic);
    free(mail->payload);
    free(mail);
}

pp_mail *pp_mailbox_take(pp_mailbox *box)
{
    pp_mail *mail = box->first;
    if (!mail)
        return NULL;
    box->first = mail->next;
    if (!box->first)
        box->last = NULL;
    box->count--;
    box->bytes -= mail->length;
    return mail;
}

int pp_mailbox_put(pp_mailbox *box, pp_mail *mail)
{
    int dropped = 0;
    while (box->count > 0 && (box->count >= MAIL_MAX || box->bytes + mail->length > MAIL_BYTES)) {
        pp_mail_free(pp_mailbox_take(box));
        dropped++;
    }
    if (box->last)
        box->last->next = mail;
    else
        box->first = mail;
    box->last = mail;
    box->count++;
    box->bytes += mail->length;
    return dropped;
}
